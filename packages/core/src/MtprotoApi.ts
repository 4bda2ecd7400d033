/**
 * The TL schema of MTProto itself: the exchange of authorization keys, and the service messages of a session.
 *
 * Constructors have the names of TL ({@link resPQ}, {@link msgs_ack}), types that have several constructors are unions
 * of the same name ({@link Set_client_DH_params_answer}). Methods are constructors too; their type is what they answer.
 *
 * Objects inside others ({@link rpc_result}, {@link message}) stay bytes: what they are is known only to whoever keeps
 * track of requests, or from the id in front of them ({@link idOf}). Unless a comment says otherwise, numbers in byte
 * strings are big-endian. Source: core.telegram.org/mtproto/auth_key, core.telegram.org/mtproto/service_messages.
 *
 * @since 1.0.0
 */
import * as Tl from "./Tl.ts"

// ----- authorization key

export const resPQ = Tl.constructor("resPQ", 0x05162463, {
  nonce: Tl.int128,
  serverNonce: Tl.int128,
  pq: Tl.bytes,
  serverPublicKeyFingerprints: Tl.vector(Tl.long)
})
export type resPQ = typeof resPQ.Type

/** Without a data centre: older clients. @since 1.0.0 */
export const p_q_inner_data = Tl.constructor("p_q_inner_data", 0x83c95aec, {
  pq: Tl.bytes,
  p: Tl.bytes,
  q: Tl.bytes,
  nonce: Tl.int128,
  serverNonce: Tl.int128,
  newNonce: Tl.int256
}, { type: "P_Q_inner_data" })
export type p_q_inner_data = typeof p_q_inner_data.Type

/** Without a data centre: older clients. @since 1.0.0 */
export const p_q_inner_data_temp = Tl.constructor("p_q_inner_data_temp", 0x3c6a84d4, {
  pq: Tl.bytes,
  p: Tl.bytes,
  q: Tl.bytes,
  nonce: Tl.int128,
  serverNonce: Tl.int128,
  newNonce: Tl.int256,
  expiresIn: Tl.int
}, { type: "P_Q_inner_data" })
export type p_q_inner_data_temp = typeof p_q_inner_data_temp.Type

/** For a permanent key. @since 1.0.0 */
export const p_q_inner_data_dc = Tl.constructor("p_q_inner_data_dc", 0xa9f55f95, {
  pq: Tl.bytes,
  p: Tl.bytes,
  q: Tl.bytes,
  nonce: Tl.int128,
  serverNonce: Tl.int128,
  newNonce: Tl.int256,
  dc: Tl.int
}, { type: "P_Q_inner_data" })
export type p_q_inner_data_dc = typeof p_q_inner_data_dc.Type

/** For a temporary key that lives `expiresIn` seconds. @since 1.0.0 */
export const p_q_inner_data_temp_dc = Tl.constructor("p_q_inner_data_temp_dc", 0x56fddf88, {
  pq: Tl.bytes,
  p: Tl.bytes,
  q: Tl.bytes,
  nonce: Tl.int128,
  serverNonce: Tl.int128,
  newNonce: Tl.int256,
  dc: Tl.int,
  expiresIn: Tl.int
}, { type: "P_Q_inner_data" })
export type p_q_inner_data_temp_dc = typeof p_q_inner_data_temp_dc.Type

/**
 * What a client encrypts with the RSA key of the server.
 *
 * @category authorization key
 * @since 1.0.0
 */
export const P_Q_inner_data = Tl.union("P_Q_inner_data", [
  p_q_inner_data,
  p_q_inner_data_temp,
  p_q_inner_data_dc,
  p_q_inner_data_temp_dc
])
export type P_Q_inner_data = typeof P_Q_inner_data.Type

/** No longer sent. @since 1.0.0 */
export const server_DH_params_fail = Tl.constructor("server_DH_params_fail", 0x79cb045d, {
  nonce: Tl.int128,
  serverNonce: Tl.int128,
  newNonceHash: Tl.int128
}, { type: "Server_DH_Params" })
export type server_DH_params_fail = typeof server_DH_params_fail.Type

export const server_DH_params_ok = Tl.constructor("server_DH_params_ok", 0xd0e8075c, {
  nonce: Tl.int128,
  serverNonce: Tl.int128,
  encryptedAnswer: Tl.bytes
}, { type: "Server_DH_Params" })
export type server_DH_params_ok = typeof server_DH_params_ok.Type

/**
 * The answer to `req_DH_params`.
 *
 * @category authorization key
 * @since 1.0.0
 */
export const Server_DH_Params = Tl.union("Server_DH_Params", [server_DH_params_fail, server_DH_params_ok])
export type Server_DH_Params = typeof Server_DH_Params.Type

export const server_DH_inner_data = Tl.constructor("server_DH_inner_data", 0xb5890dba, {
  nonce: Tl.int128,
  serverNonce: Tl.int128,
  g: Tl.int,
  dhPrime: Tl.bytes,
  gA: Tl.bytes,
  serverTime: Tl.int
})
export type server_DH_inner_data = typeof server_DH_inner_data.Type

export const client_DH_inner_data = Tl.constructor("client_DH_inner_data", 0x6643b654, {
  nonce: Tl.int128,
  serverNonce: Tl.int128,
  retryId: Tl.long,
  gB: Tl.bytes
}, { type: "Client_DH_Inner_Data" })
export type client_DH_inner_data = typeof client_DH_inner_data.Type

export const dh_gen_ok = Tl.constructor("dh_gen_ok", 0x3bcbf734, {
  nonce: Tl.int128,
  serverNonce: Tl.int128,
  newNonceHash1: Tl.int128
}, { type: "Set_client_DH_params_answer" })
export type dh_gen_ok = typeof dh_gen_ok.Type

export const dh_gen_retry = Tl.constructor("dh_gen_retry", 0x46dc1fb9, {
  nonce: Tl.int128,
  serverNonce: Tl.int128,
  newNonceHash2: Tl.int128
}, { type: "Set_client_DH_params_answer" })
export type dh_gen_retry = typeof dh_gen_retry.Type

export const dh_gen_fail = Tl.constructor("dh_gen_fail", 0xa69dae02, {
  nonce: Tl.int128,
  serverNonce: Tl.int128,
  newNonceHash3: Tl.int128
}, { type: "Set_client_DH_params_answer" })
export type dh_gen_fail = typeof dh_gen_fail.Type

/**
 * The answer to `set_client_DH_params`.
 *
 * @category authorization key
 * @since 1.0.0
 */
export const Set_client_DH_params_answer = Tl.union("Set_client_DH_params_answer", [
  dh_gen_ok,
  dh_gen_retry,
  dh_gen_fail
])
export type Set_client_DH_params_answer = typeof Set_client_DH_params_answer.Type

/** What `auth.bindTempAuthKey` carries, encrypted with the permanent key. @since 1.0.0 */
export const bind_auth_key_inner = Tl.constructor("bind_auth_key_inner", 0x75a3f765, {
  nonce: Tl.long,
  tempAuthKeyId: Tl.long,
  permAuthKeyId: Tl.long,
  tempSessionId: Tl.long,
  expiresAt: Tl.int
}, { type: "BindAuthKeyInner" })
export type bind_auth_key_inner = typeof bind_auth_key_inner.Type

/** Only hashed, never sent: the fingerprint of a key is made of the two fields without the id. @since 1.0.0 */
export const rsa_public_key = Tl.constructor("rsa_public_key", 0x7a19cb76, { n: Tl.bytes, e: Tl.bytes }, {
  type: "RSAPublicKey"
})
export type rsa_public_key = typeof rsa_public_key.Type

/** Older clients. @since 1.0.0 */
export const req_pq = Tl.constructor("req_pq", 0x60469778, { nonce: Tl.int128 }, { type: "ResPQ" })
export type req_pq = typeof req_pq.Type

export const req_pq_multi = Tl.constructor("req_pq_multi", 0xbe7e8ef1, { nonce: Tl.int128 }, { type: "ResPQ" })
export type req_pq_multi = typeof req_pq_multi.Type

export const req_DH_params = Tl.constructor("req_DH_params", 0xd712e4be, {
  nonce: Tl.int128,
  serverNonce: Tl.int128,
  p: Tl.bytes,
  q: Tl.bytes,
  publicKeyFingerprint: Tl.long,
  encryptedData: Tl.bytes
}, { type: "Server_DH_Params" })
export type req_DH_params = typeof req_DH_params.Type

export const set_client_DH_params = Tl.constructor("set_client_DH_params", 0xf5045f1f, {
  nonce: Tl.int128,
  serverNonce: Tl.int128,
  encryptedData: Tl.bytes
}, { type: "Set_client_DH_params_answer" })
export type set_client_DH_params = typeof set_client_DH_params.Type

/**
 * What a client sends without encryption.
 *
 * @category authorization key
 * @since 1.0.0
 */
export const HandshakeRequest = Tl.union("HandshakeRequest", [
  req_pq,
  req_pq_multi,
  req_DH_params,
  set_client_DH_params
])
export type HandshakeRequest = typeof HandshakeRequest.Type

// ----- answers and their delivery

/** The answer to a request. `result` is all that follows: an object of the type that the request promises, an `rpc_error`, or either of them in `gzip_packed`. @since 1.0.0 */
export const rpc_result = Tl.constructor("rpc_result", 0xf35c6d01, { reqMsgId: Tl.long, result: Tl.rest("Object") }, {
  type: "RpcResult"
})
export type rpc_result = typeof rpc_result.Type

export const rpc_error = Tl.constructor("rpc_error", 0x2144ca19, { errorCode: Tl.int, errorMessage: Tl.string }, {
  type: "RpcError"
})
export type rpc_error = typeof rpc_error.Type

export const rpc_drop_answer = Tl.constructor("rpc_drop_answer", 0x58e4a740, { reqMsgId: Tl.long }, {
  type: "RpcDropAnswer"
})
export type rpc_drop_answer = typeof rpc_drop_answer.Type

export const rpc_answer_unknown = Tl.constructor("rpc_answer_unknown", 0x5e2ad36e, {}, { type: "RpcDropAnswer" })
export type rpc_answer_unknown = typeof rpc_answer_unknown.Type

export const rpc_answer_dropped_running = Tl.constructor("rpc_answer_dropped_running", 0xcd78e586, {}, {
  type: "RpcDropAnswer"
})
export type rpc_answer_dropped_running = typeof rpc_answer_dropped_running.Type

export const rpc_answer_dropped = Tl.constructor("rpc_answer_dropped", 0xa43ad8b7, {
  msgId: Tl.long,
  seqNo: Tl.int,
  bytes: Tl.int
}, { type: "RpcDropAnswer" })
export type rpc_answer_dropped = typeof rpc_answer_dropped.Type

/**
 * The answer to `rpc_drop_answer`.
 *
 * @category messages
 * @since 1.0.0
 */
export const RpcDropAnswer = Tl.union("RpcDropAnswer", [
  rpc_answer_unknown,
  rpc_answer_dropped_running,
  rpc_answer_dropped
])
export type RpcDropAnswer = typeof RpcDropAnswer.Type

/** A message in a container: id, sequence number and the bytes of an object. @since 1.0.0 */
export const message = Tl.constructor("message", 0x5bb8e511, { msgId: Tl.long, seqno: Tl.int, body: Tl.block })
export type message = typeof message.Type

/** Several messages in one. @since 1.0.0 */
export const msg_container = Tl.constructor("msg_container", 0x73f1f8dc, {
  messages: Tl.bareVector(Tl.bare(message, "%Message"))
}, { type: "MessageContainer" })
export type msg_container = typeof msg_container.Type

export const msg_copy = Tl.constructor("msg_copy", 0xe06046b2, { origMessage: message }, { type: "MessageCopy" })
export type msg_copy = typeof msg_copy.Type

/** Any object, compressed with gzip (servers) or zlib (clients). @since 1.0.0 */
export const gzip_packed = Tl.constructor("gzip_packed", 0x3072cfa1, { packedData: Tl.bytes }, { type: "Object" })
export type gzip_packed = typeof gzip_packed.Type

export const msgs_ack = Tl.constructor("msgs_ack", 0x62d6b459, { msgIds: Tl.vector(Tl.long) }, { type: "MsgsAck" })
export type msgs_ack = typeof msgs_ack.Type

export const bad_msg_notification = Tl.constructor("bad_msg_notification", 0xa7eff811, {
  badMsgId: Tl.long,
  badMsgSeqno: Tl.int,
  errorCode: Tl.int
}, { type: "BadMsgNotification" })
export type bad_msg_notification = typeof bad_msg_notification.Type

export const bad_server_salt = Tl.constructor("bad_server_salt", 0xedab447b, {
  badMsgId: Tl.long,
  badMsgSeqno: Tl.int,
  errorCode: Tl.int,
  newServerSalt: Tl.long
}, { type: "BadMsgNotification" })
export type bad_server_salt = typeof bad_server_salt.Type

/**
 * The server did not take a message.
 *
 * @category messages
 * @since 1.0.0
 */
export const BadMsgNotification = Tl.union("BadMsgNotification", [bad_msg_notification, bad_server_salt])
export type BadMsgNotification = typeof BadMsgNotification.Type

export const msg_resend_req = Tl.constructor("msg_resend_req", 0x7d861a08, { msgIds: Tl.vector(Tl.long) }, {
  type: "MsgResendReq"
})
export type msg_resend_req = typeof msg_resend_req.Type

export const msgs_state_req = Tl.constructor("msgs_state_req", 0xda69fb52, { msgIds: Tl.vector(Tl.long) }, {
  type: "MsgsStateReq"
})
export type msgs_state_req = typeof msgs_state_req.Type

export const msgs_state_info = Tl.constructor("msgs_state_info", 0x04deb57d, { reqMsgId: Tl.long, info: Tl.bytes }, {
  type: "MsgsStateInfo"
})
export type msgs_state_info = typeof msgs_state_info.Type

export const msgs_all_info = Tl.constructor(
  "msgs_all_info",
  0x8cc0d131,
  { msgIds: Tl.vector(Tl.long), info: Tl.bytes },
  { type: "MsgsAllInfo" }
)
export type msgs_all_info = typeof msgs_all_info.Type

export const msg_detailed_info = Tl.constructor("msg_detailed_info", 0x276d3ec6, {
  msgId: Tl.long,
  answerMsgId: Tl.long,
  bytes: Tl.int,
  status: Tl.int
}, { type: "MsgDetailedInfo" })
export type msg_detailed_info = typeof msg_detailed_info.Type

export const msg_new_detailed_info = Tl.constructor("msg_new_detailed_info", 0x809db6df, {
  answerMsgId: Tl.long,
  bytes: Tl.int,
  status: Tl.int
}, { type: "MsgDetailedInfo" })
export type msg_new_detailed_info = typeof msg_new_detailed_info.Type

/**
 * An answer exists and has not been sent again.
 *
 * @category messages
 * @since 1.0.0
 */
export const MsgDetailedInfo = Tl.union("MsgDetailedInfo", [msg_detailed_info, msg_new_detailed_info])
export type MsgDetailedInfo = typeof MsgDetailedInfo.Type

// ----- sessions

export const new_session_created = Tl.constructor("new_session_created", 0x9ec20908, {
  firstMsgId: Tl.long,
  uniqueId: Tl.long,
  serverSalt: Tl.long
}, { type: "NewSession" })
export type new_session_created = typeof new_session_created.Type

export const future_salt = Tl.constructor("future_salt", 0x0949d9dc, {
  validSince: Tl.int,
  validUntil: Tl.int,
  salt: Tl.long
}, { type: "FutureSalt" })
export type future_salt = typeof future_salt.Type

/** Salts for later; a bare vector, unlike everywhere else. @since 1.0.0 */
export const future_salts = Tl.constructor("future_salts", 0xae500895, {
  reqMsgId: Tl.long,
  now: Tl.int,
  salts: Tl.bareVector(Tl.bare(future_salt))
}, { type: "FutureSalts" })
export type future_salts = typeof future_salts.Type

export const get_future_salts = Tl.constructor("get_future_salts", 0xb921bd04, { num: Tl.int }, { type: "FutureSalts" })
export type get_future_salts = typeof get_future_salts.Type

export const ping = Tl.constructor("ping", 0x7abe77ec, { pingId: Tl.long }, { type: "Pong" })
export type ping = typeof ping.Type

export const ping_delay_disconnect = Tl.constructor("ping_delay_disconnect", 0xf3427b8c, {
  pingId: Tl.long,
  disconnectDelay: Tl.int
}, { type: "Pong" })
export type ping_delay_disconnect = typeof ping_delay_disconnect.Type

export const pong = Tl.constructor("pong", 0x347773c5, { msgId: Tl.long, pingId: Tl.long })
export type pong = typeof pong.Type

export const destroy_session = Tl.constructor("destroy_session", 0xe7512126, { sessionId: Tl.long }, {
  type: "DestroySessionRes"
})
export type destroy_session = typeof destroy_session.Type

export const destroy_session_ok = Tl.constructor("destroy_session_ok", 0xe22045fc, { sessionId: Tl.long }, {
  type: "DestroySessionRes"
})
export type destroy_session_ok = typeof destroy_session_ok.Type

export const destroy_session_none = Tl.constructor("destroy_session_none", 0x62d350c9, { sessionId: Tl.long }, {
  type: "DestroySessionRes"
})
export type destroy_session_none = typeof destroy_session_none.Type

/**
 * The answer to `destroy_session`.
 *
 * @category sessions
 * @since 1.0.0
 */
export const DestroySessionRes = Tl.union("DestroySessionRes", [destroy_session_ok, destroy_session_none])
export type DestroySessionRes = typeof DestroySessionRes.Type

export const destroy_auth_key = Tl.constructor("destroy_auth_key", 0xd1435160, {}, { type: "DestroyAuthKeyRes" })
export type destroy_auth_key = typeof destroy_auth_key.Type

export const destroy_auth_key_ok = Tl.constructor("destroy_auth_key_ok", 0xf660e1d4, {}, { type: "DestroyAuthKeyRes" })
export type destroy_auth_key_ok = typeof destroy_auth_key_ok.Type

export const destroy_auth_key_none = Tl.constructor("destroy_auth_key_none", 0x0a9f2259, {}, {
  type: "DestroyAuthKeyRes"
})
export type destroy_auth_key_none = typeof destroy_auth_key_none.Type

export const destroy_auth_key_fail = Tl.constructor("destroy_auth_key_fail", 0xea109b13, {}, {
  type: "DestroyAuthKeyRes"
})
export type destroy_auth_key_fail = typeof destroy_auth_key_fail.Type

/**
 * The answer to `destroy_auth_key`.
 *
 * @category sessions
 * @since 1.0.0
 */
export const DestroyAuthKeyRes = Tl.union("DestroyAuthKeyRes", [
  destroy_auth_key_ok,
  destroy_auth_key_none,
  destroy_auth_key_fail
])
export type DestroyAuthKeyRes = typeof DestroyAuthKeyRes.Type

/** Answered by whatever the server has to say; there is no `HttpWait`. @since 1.0.0 */
export const http_wait = Tl.constructor("http_wait", 0x9299359f, {
  maxDelay: Tl.int,
  waitAfter: Tl.int,
  maxWait: Tl.int
}, { type: "HttpWait" })
export type http_wait = typeof http_wait.Type

// ----- what either side can send

/**
 * The service messages of a server. An id that is none of these belongs to an `Updates` of the API.
 *
 * @category unions
 * @since 1.0.0
 */
export const ServerMessage = Tl.union("ServerMessage", [
  rpc_result,
  msg_container,
  gzip_packed,
  msgs_ack,
  bad_msg_notification,
  bad_server_salt,
  new_session_created,
  pong,
  future_salts,
  msgs_state_req,
  msgs_state_info,
  msgs_all_info,
  msg_detailed_info,
  msg_new_detailed_info,
  msg_resend_req,
  msg_copy,
  destroy_session_ok,
  destroy_session_none,
  destroy_auth_key_ok,
  destroy_auth_key_none,
  destroy_auth_key_fail,
  rpc_answer_unknown,
  rpc_answer_dropped_running,
  rpc_answer_dropped
])
export type ServerMessage = typeof ServerMessage.Type

/**
 * The service messages of a client. An id that is none of these belongs to a method of the API.
 *
 * @category unions
 * @since 1.0.0
 */
export const ClientMessage = Tl.union("ClientMessage", [
  msg_container,
  gzip_packed,
  msgs_ack,
  ping,
  ping_delay_disconnect,
  get_future_salts,
  msgs_state_req,
  msgs_state_info,
  msg_resend_req,
  rpc_drop_answer,
  destroy_session,
  destroy_auth_key,
  http_wait,
  msg_copy
])
export type ClientMessage = typeof ClientMessage.Type

/**
 * The constructor id at the start of an object, unsigned; undefined if there are less than four bytes.
 *
 * @category getters
 * @since 1.0.0
 */
export const idOf = (bytes: Uint8Array): number | undefined =>
  bytes.length < 4 ? undefined : (bytes[0]! | bytes[1]! << 8 | bytes[2]! << 16 | bytes[3]! << 24) >>> 0

/**
 * Whether an id stands in front of a message that {@link ServerMessage} reads.
 *
 * @category getters
 * @since 1.0.0
 */
export const isServerMessage = (id: number): boolean => serverIds.has(id)

/**
 * Whether an id stands in front of a message that {@link ClientMessage} reads.
 *
 * @category getters
 * @since 1.0.0
 */
export const isClientMessage = (id: number): boolean => clientIds.has(id)

const serverIds = new Set(ServerMessage.members.map(Tl.constructorId))
const clientIds = new Set(ClientMessage.members.map(Tl.constructorId))

/**
 * Constructors and methods as older layers have them, where the server speaks of them and they differ from the layer
 * of `Api`.
 *
 * The layers are those of clients that are still in use: 144 (Telethon 1.25), 190 and 193 (Telethon 1.39, GramJS of
 * 2025), 198 (GramJS 2.26). A client of another layer gets the form of the next newer layer that is known here; nearly
 * everything is the same in all of them. Ids and fields are those of core.telegram.org/schema at the time; a test
 * recomputes the ids.
 */

/** A constructor in the form that it has up to a layer. */
export interface OlderForm {
  readonly upTo: number
  /** One line of TL. */
  readonly line: string
  /** Fields that the form has to have and values of today have not. */
  readonly fill?: Readonly<Record<string, unknown>>
}

const userStart = "self:flags.10?true contact:flags.11?true mutual_contact:flags.12?true deleted:flags.13?true " +
  "bot:flags.14?true bot_chat_history:flags.15?true bot_nochats:flags.16?true verified:flags.17?true " +
  "restricted:flags.18?true min:flags.20?true bot_inline_geo:flags.21?true support:flags.23?true scam:flags.24?true " +
  "apply_min_photo:flags.25?true fake:flags.26?true bot_attach_menu:flags.27?true premium:flags.28?true " +
  "attach_menu_enabled:flags.29?true"

const userFields = "id:long access_hash:flags.0?long first_name:flags.1?string last_name:flags.2?string " +
  "username:flags.3?string phone:flags.4?string photo:flags.5?UserProfilePhoto status:flags.6?UserStatus " +
  "bot_info_version:flags.14?int restriction_reason:flags.18?Vector<RestrictionReason> " +
  "bot_inline_placeholder:flags.19?string lang_code:flags.22?string"

const userEnd = "emoji_status:flags.30?EmojiStatus usernames:flags2.0?Vector<Username> stories_max_id:flags2.5?int " +
  "color:flags2.8?PeerColor profile_color:flags2.9?PeerColor bot_active_users:flags2.12?int"

const user2 = "bot_can_edit:flags2.1?true close_friend:flags2.2?true stories_hidden:flags2.3?true " +
  "stories_unavailable:flags2.4?true contact_require_premium:flags2.10?true bot_business:flags2.11?true " +
  "bot_has_main_app:flags2.13?true"

const messageFlags = "out:flags.1?true mentioned:flags.4?true media_unread:flags.5?true silent:flags.13?true " +
  "post:flags.14?true from_scheduled:flags.18?true legacy:flags.19?true edit_hide:flags.21?true pinned:flags.24?true " +
  "noforwards:flags.26?true"

const messageEnd = "date:int message:string media:flags.9?MessageMedia reply_markup:flags.6?ReplyMarkup " +
  "entities:flags.7?Vector<MessageEntity> views:flags.10?int forwards:flags.10?int replies:flags.23?MessageReplies " +
  "edit_date:flags.15?int post_author:flags.16?string grouped_id:flags.17?long reactions:flags.20?MessageReactions " +
  "restriction_reason:flags.22?Vector<RestrictionReason> ttl_period:flags.25?int"

const sendFlags = "silent:flags.5?true background:flags.6?true clear_draft:flags.7?true noforwards:flags.14?true"

const send198 = `${sendFlags} update_stickersets_order:flags.15?true invert_media:flags.16?true ` +
  "allow_paid_floodskip:flags.19?true peer:InputPeer reply_to:flags.0?InputReplyTo"

const sendEnd144 = "random_id:long reply_markup:flags.2?ReplyMarkup entities:flags.3?Vector<MessageEntity> " +
  "schedule_date:flags.10?int send_as:flags.13?InputPeer"

const sendEnd198 = `${sendEnd144} quick_reply_shortcut:flags.17?InputQuickReplyShortcut effect:flags.18?long`

const messages = "messages:Vector<Message> chats:Vector<Chat> users:Vector<User>"

const messagesSlice = "messages.messagesSlice#3a54685e flags:# inexact:flags.1?true count:int next_rate:flags.0?int " +
  `offset_id_offset:flags.2?int ${messages} = messages.Messages`

/** What the server sends and reads, oldest form first. */
export const constructors: ReadonlyArray<OlderForm> = [
  { upTo: 144, line: `user#3ff6ecb0 flags:# ${userStart} ${userFields} = User` },
  { upTo: 193, line: `user#83314fca flags:# ${userStart} flags2:# ${user2} ${userFields} ${userEnd} = User` },
  {
    upTo: 198,
    line: `user#4b46c37e flags:# ${userStart} flags2:# ${user2} ${userFields} ${userEnd} ` +
      "bot_verification_icon:flags2.14?long = User"
  },
  { upTo: 144, line: "userStatusRecently#e26f42f1 = UserStatus" },
  { upTo: 144, line: "userStatusLastWeek#7bf09fc = UserStatus" },
  { upTo: 144, line: "userStatusLastMonth#77ebc742 = UserStatus" },
  {
    upTo: 144,
    line: `message#38116ee0 flags:# ${messageFlags} id:int from_id:flags.8?Peer peer_id:Peer ` +
      `fwd_from:flags.2?MessageFwdHeader via_bot_id:flags.11?long reply_to:flags.3?MessageReplyHeader ${messageEnd} ` +
      "= Message"
  },
  {
    upTo: 198,
    line: `message#96fdbbe9 flags:# ${messageFlags} invert_media:flags.27?true flags2:# offline:flags2.1?true ` +
      "video_processing_pending:flags2.4?true id:int from_id:flags.8?Peer from_boosts_applied:flags.29?int " +
      "peer_id:Peer saved_peer_id:flags.28?Peer fwd_from:flags.2?MessageFwdHeader via_bot_id:flags.11?long " +
      `via_business_bot_id:flags2.0?long reply_to:flags.3?MessageReplyHeader ${messageEnd} ` +
      "quick_reply_shortcut_id:flags.30?int effect:flags2.2?long factcheck:flags2.3?FactCheck " +
      "report_delivery_until_date:flags2.5?int = Message"
  },
  {
    upTo: 144,
    line: "messageMediaDocument#9cb070d7 flags:# nopremium:flags.3?true document:flags.0?Document " +
      "ttl_seconds:flags.2?int = MessageMedia"
  },
  {
    upTo: 144,
    line: "messageReplyHeader#a6d57763 flags:# reply_to_scheduled:flags.2?true reply_to_msg_id:int " +
      "reply_to_peer_id:flags.0?Peer reply_to_top_id:flags.1?int = MessageReplyHeader"
  },
  {
    upTo: 198,
    line: "messageReplyHeader#afbc09db flags:# reply_to_scheduled:flags.2?true forum_topic:flags.3?true " +
      "quote:flags.9?true reply_to_msg_id:flags.4?int reply_to_peer_id:flags.0?Peer reply_from:flags.5?MessageFwdHeader " +
      "reply_media:flags.8?MessageMedia reply_to_top_id:flags.1?int quote_text:flags.6?string " +
      "quote_entities:flags.7?Vector<MessageEntity> quote_offset:flags.10?int = MessageReplyHeader"
  },
  {
    upTo: 144,
    line: "dialog#a8edd0f5 flags:# pinned:flags.2?true unread_mark:flags.3?true peer:Peer top_message:int " +
      "read_inbox_max_id:int read_outbox_max_id:int unread_count:int unread_mentions_count:int " +
      "unread_reactions_count:int notify_settings:PeerNotifySettings pts:flags.0?int draft:flags.1?DraftMessage " +
      "folder_id:flags.4?int = Dialog"
  },
  {
    upTo: 198,
    line: "dialog#d58a08c6 flags:# pinned:flags.2?true unread_mark:flags.3?true view_forum_as_messages:flags.6?true " +
      "peer:Peer top_message:int read_inbox_max_id:int read_outbox_max_id:int unread_count:int " +
      "unread_mentions_count:int unread_reactions_count:int notify_settings:PeerNotifySettings pts:flags.0?int " +
      "draft:flags.1?DraftMessage folder_id:flags.4?int ttl_period:flags.5?int = Dialog"
  },
  {
    upTo: 144,
    line: "peerNotifySettings#a83b0426 flags:# show_previews:flags.0?Bool silent:flags.1?Bool mute_until:flags.2?int " +
      "ios_sound:flags.3?NotificationSound android_sound:flags.4?NotificationSound " +
      "other_sound:flags.5?NotificationSound = PeerNotifySettings"
  },
  {
    upTo: 144,
    line:
      "peerSettings#a518110d flags:# report_spam:flags.0?true add_contact:flags.1?true block_contact:flags.2?true " +
      "share_contact:flags.3?true need_contacts_exception:flags.4?true report_geo:flags.5?true " +
      "autoarchived:flags.7?true invite_members:flags.8?true request_chat_broadcast:flags.10?true " +
      "geo_distance:flags.6?int request_chat_title:flags.9?string request_chat_date:flags.9?int = PeerSettings"
  },
  {
    upTo: 198,
    line:
      "peerSettings#acd66c5e flags:# report_spam:flags.0?true add_contact:flags.1?true block_contact:flags.2?true " +
      "share_contact:flags.3?true need_contacts_exception:flags.4?true report_geo:flags.5?true " +
      "autoarchived:flags.7?true invite_members:flags.8?true request_chat_broadcast:flags.10?true " +
      "business_bot_paused:flags.11?true business_bot_can_reply:flags.12?true geo_distance:flags.6?int " +
      "request_chat_title:flags.9?string request_chat_date:flags.9?int business_bot_id:flags.13?long " +
      "business_bot_manage_url:flags.13?string = PeerSettings"
  },
  {
    upTo: 144,
    line: "userFull#c4b1fc3f flags:# blocked:flags.0?true phone_calls_available:flags.4?true " +
      "phone_calls_private:flags.5?true can_pin_message:flags.7?true has_scheduled:flags.12?true " +
      "video_calls_available:flags.13?true voice_messages_forbidden:flags.20?true id:long about:flags.1?string " +
      "settings:PeerSettings profile_photo:flags.2?Photo notify_settings:PeerNotifySettings bot_info:flags.3?BotInfo " +
      "pinned_msg_id:flags.6?int common_chats_count:int folder_id:flags.11?int ttl_period:flags.14?int " +
      "theme_emoticon:flags.15?string private_forward_name:flags.16?string " +
      "bot_group_admin_rights:flags.17?ChatAdminRights bot_broadcast_admin_rights:flags.18?ChatAdminRights " +
      "premium_gifts:flags.19?Vector<PremiumGiftOption> = UserFull"
  },
  {
    upTo: 198,
    line: "userFull#4d975bbc flags:# blocked:flags.0?true phone_calls_available:flags.4?true " +
      "phone_calls_private:flags.5?true can_pin_message:flags.7?true has_scheduled:flags.12?true " +
      "video_calls_available:flags.13?true voice_messages_forbidden:flags.20?true translations_disabled:flags.23?true " +
      "stories_pinned_available:flags.26?true blocked_my_stories_from:flags.27?true wallpaper_overridden:flags.28?true " +
      "contact_require_premium:flags.29?true read_dates_private:flags.30?true flags2:# sponsored_enabled:flags2.7?true " +
      "can_view_revenue:flags2.9?true bot_can_manage_emoji_status:flags2.10?true id:long about:flags.1?string " +
      "settings:PeerSettings personal_photo:flags.21?Photo profile_photo:flags.2?Photo fallback_photo:flags.22?Photo " +
      "notify_settings:PeerNotifySettings bot_info:flags.3?BotInfo pinned_msg_id:flags.6?int common_chats_count:int " +
      "folder_id:flags.11?int ttl_period:flags.14?int theme_emoticon:flags.15?string " +
      "private_forward_name:flags.16?string bot_group_admin_rights:flags.17?ChatAdminRights " +
      "bot_broadcast_admin_rights:flags.18?ChatAdminRights premium_gifts:flags.19?Vector<PremiumGiftOption> " +
      "wallpaper:flags.24?WallPaper stories:flags.25?PeerStories business_work_hours:flags2.0?BusinessWorkHours " +
      "business_location:flags2.1?BusinessLocation business_greeting_message:flags2.2?BusinessGreetingMessage " +
      "business_away_message:flags2.3?BusinessAwayMessage business_intro:flags2.4?BusinessIntro " +
      "birthday:flags2.5?Birthday personal_channel_id:flags2.6?long personal_channel_message:flags2.6?int " +
      "stargifts_count:flags2.8?int starref_program:flags2.11?StarRefProgram " +
      "bot_verification:flags2.12?BotVerification = UserFull"
  },
  { upTo: 198, line: `messages.messages#8c718e87 ${messages} = messages.Messages` },
  { upTo: 198, line: messagesSlice },
  { upTo: 198, line: "updateUserTyping#c01e857f user_id:long action:SendMessageAction = Update" },
  {
    upTo: 198,
    line: "updateReadHistoryInbox#9c974fdf flags:# folder_id:flags.0?int peer:Peer max_id:int still_unread_count:int " +
      "pts:int pts_count:int = Update"
  },
  {
    upTo: 144,
    line: "config#330b4067 flags:# phonecalls_enabled:flags.1?true default_p2p_contacts:flags.3?true " +
      "preload_featured_stickers:flags.4?true ignore_phone_entities:flags.5?true revoke_pm_inbox:flags.6?true " +
      "blocked_mode:flags.8?true pfs_enabled:flags.13?true force_try_ipv6:flags.14?true date:int expires:int " +
      "test_mode:Bool this_dc:int dc_options:Vector<DcOption> dc_txt_domain_name:string chat_size_max:int " +
      "megagroup_size_max:int forwarded_count_max:int online_update_period_ms:int offline_blur_timeout_ms:int " +
      "offline_idle_timeout_ms:int online_cloud_timeout_ms:int notify_cloud_delay_ms:int notify_default_delay_ms:int " +
      "push_chat_period_ms:int push_chat_limit:int saved_gifs_limit:int edit_time_limit:int revoke_time_limit:int " +
      "revoke_pm_time_limit:int rating_e_decay:int stickers_recent_limit:int stickers_faved_limit:int " +
      "channels_read_media_period:int tmp_sessions:flags.0?int pinned_dialogs_count_max:int " +
      "pinned_infolder_count_max:int call_receive_timeout_ms:int call_ring_timeout_ms:int call_connect_timeout_ms:int " +
      "call_packet_timeout_ms:int me_url_prefix:string autoupdate_url_prefix:flags.7?string " +
      "gif_search_username:flags.9?string venue_search_username:flags.10?string img_search_username:flags.11?string " +
      "static_maps_provider:flags.12?string caption_length_max:int message_length_max:int webfile_dc_id:int " +
      "suggested_lang_code:flags.2?string lang_pack_version:flags.2?int base_lang_pack_version:flags.2?int = Config",
    fill: { savedGifsLimit: 200, stickersFavedLimit: 5, pinnedDialogsCountMax: 5, pinnedInfolderCountMax: 100 }
  },
  {
    upTo: 144,
    line: "account.password#185b184f flags:# has_recovery:flags.0?true has_secure_values:flags.1?true " +
      "has_password:flags.2?true current_algo:flags.2?PasswordKdfAlgo srp_B:flags.2?bytes srp_id:flags.2?long " +
      "hint:flags.3?string email_unconfirmed_pattern:flags.4?string new_algo:PasswordKdfAlgo " +
      "new_secure_algo:SecurePasswordKdfAlgo secure_random:bytes pending_reset_date:flags.5?int = account.Password"
  },
  {
    upTo: 144,
    line: "auth.authorization#33fb7bb8 flags:# setup_password_required:flags.1?true " +
      "otherwise_relogin_days:flags.1?int tmp_sessions:flags.0?int user:User = auth.Authorization"
  },
  {
    upTo: 144,
    line: "globalPrivacySettings#bea2f424 flags:# archive_and_mute_new_noncontact_peers:flags.0?Bool " +
      "= GlobalPrivacySettings"
  },
  // what clients send
  {
    upTo: 144,
    line: "codeSettings#8a6469c2 flags:# allow_flashcall:flags.0?true current_number:flags.1?true " +
      "allow_app_hash:flags.4?true allow_missed_call:flags.5?true logout_tokens:flags.6?Vector<bytes> = CodeSettings"
  },
  {
    upTo: 198,
    line: "inputPhoneContact#f392b7f4 client_id:long phone:string first_name:string last_name:string = InputContact"
  },
  {
    upTo: 144,
    line: "inputMediaUploadedDocument#5b38c6c1 flags:# nosound_video:flags.3?true force_file:flags.4?true " +
      "file:InputFile thumb:flags.2?InputFile mime_type:string attributes:Vector<DocumentAttribute> " +
      "stickers:flags.0?Vector<InputDocument> ttl_seconds:flags.1?int = InputMedia"
  },
  {
    upTo: 144,
    line:
      "inputMediaDocument#33473058 flags:# id:InputDocument ttl_seconds:flags.0?int query:flags.1?string = InputMedia"
  },
  {
    upTo: 198,
    line: "inputReplyToMessage#22c0f6d5 flags:# reply_to_msg_id:int top_msg_id:flags.0?int " +
      "reply_to_peer_id:flags.1?InputPeer quote_text:flags.2?string quote_entities:flags.3?Vector<MessageEntity> " +
      "quote_offset:flags.4?int = InputReplyTo"
  }
]

/** Methods that have another id today. */
export const methods: ReadonlyArray<string> = [
  "auth.signIn#bcd51581 phone_number:string phone_code_hash:string phone_code:string = auth.Authorization",
  "auth.signUp#80eee427 phone_number:string phone_code_hash:string first_name:string last_name:string " +
  "= auth.Authorization",
  "auth.resendCode#3ef1a9bf phone_number:string phone_code_hash:string = auth.SentCode",
  "contacts.block#68cc1411 id:InputPeer = Bool",
  "contacts.unblock#bea65d50 id:InputPeer = Bool",
  "contacts.resolveUsername#f93ccba3 username:string = contacts.ResolvedPeer",
  `messages.sendMessage#d9d75a4 flags:# no_webpage:flags.1?true ${sendFlags} peer:InputPeer ` +
  `reply_to_msg_id:flags.0?int message:string ${sendEnd144} = Updates`,
  `messages.sendMessage#983f9745 flags:# no_webpage:flags.1?true ${send198} message:string ${sendEnd198} = Updates`,
  `messages.sendMedia#e25ff8e0 flags:# ${sendFlags} peer:InputPeer reply_to_msg_id:flags.0?int media:InputMedia ` +
  `message:string ${sendEnd144} = Updates`,
  `messages.sendMedia#7852834e flags:# ${send198} media:InputMedia message:string ${sendEnd198} = Updates`,
  "updates.getDifference#25939651 flags:# pts:int pts_total_limit:flags.0?int date:int qts:int = updates.Difference"
]

import * as CryptoTest from "@effect-mtproto/crypto/CryptoTest"
import * as NodeCrypto from "@effect-mtproto/crypto/NodeCrypto"
import * as TestCrypto from "@effect-mtproto/crypto/TestCrypto"

CryptoTest.suite("NodeCrypto", NodeCrypto.layer)
CryptoTest.suite("NodeCrypto, decrypting on its thread", NodeCrypto.layerWith({ decryptOnThread: true }))
CryptoTest.suite("TestCrypto", TestCrypto.layer({ seed: "conformance" }))

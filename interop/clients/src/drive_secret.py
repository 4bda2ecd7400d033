"""tg-secret on Telethon: secret chats of somebody else's. Commands beside those of drive_telethon.py."""
import os
import sys
import warnings
from unittest.mock import MagicMock

# it imports Pyrogram, which it has another adapter for, without using it
for name in ('pyrogram', 'pyrogram.enums', 'pyrogram.raw', 'pyrogram.raw.functions', 'pyrogram.raw.functions.messages',
             'pyrogram.raw.types', 'pyrogram.raw.types.messages'):
    sys.modules[name] = MagicMock()
sys.path.insert(0, os.environ['TG_SECRET'])
warnings.simplefilter('ignore')

from telethon import events
from telethon.tl.types import UpdateEncryption, UpdateNewEncryptedMessage
from tg_secret import ChatRequestResult, TelegramSecretClient
from tg_secret.client_adapters.telethon_adapter import TelethonClientAdapter

import drive_telethon

secrets = {}


class Adapter(TelethonClientAdapter):
    """The handlers of the original are those of Pyrogram: Telethon gives one argument."""

    def _register_raw_handler_maybe(self):
        if self.raw_handler_set:
            return
        self.raw_handler_set = True

        async def on_update(update):
            await self._raw_updates_handler(None, update, None, None)

        self.client.add_event_handler(on_update, events.Raw((UpdateEncryption, UpdateNewEncryptedMessage)))


async def secret_open(client):
    secret = TelegramSecretClient(Adapter(drive_telethon.clients[client]), session_name=client, in_memory=True)
    secrets[client] = secret

    async def on_request(_chat):
        return ChatRequestResult.ACCEPT

    async def on_ready(chat):
        drive_telethon.write({'event': 'text', 'client': client, 'text': f'ready {chat.id}', 'sender': 0})

    async def on_message(message):
        drive_telethon.write({'event': 'text', 'client': client, 'text': message.text, 'sender': message.from_id})

    secret.add_request_handler(on_request)
    secret.add_chat_ready_handler(on_ready)
    secret.add_new_message_handler(on_message)
    await secret.start()


async def secret_request(client, peer):
    return (await secrets[client].request_encryption(peer)).id


async def secret_send(client, chat, text):
    await secrets[client].send_text_message(chat, text)


async def secret_rekey(client, chat):
    await secrets[client].rekey(chat)


async def secret_discard(client, chat):
    await secrets[client].discard_chat(chat)


for command in (secret_open, secret_request, secret_send, secret_rekey, secret_discard):
    drive_telethon.COMMANDS[command.__name__] = command

drive_telethon.run()

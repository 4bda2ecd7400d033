"""Telethon, driven by lines of JSON: a command in, an answer or an event out. The checks are in Telethon.ts."""
import asyncio
import json
import logging
import sys

from telethon import TelegramClient, events, functions
from telethon.crypto import rsa
from telethon.network import connection
from telethon.sessions import StringSession

logging.disable(logging.CRITICAL)

clients = {}
settings = {}
CONNECTIONS = {
    'full': connection.ConnectionTcpFull,
    'abridged': connection.ConnectionTcpAbridged,
    'intermediate': connection.ConnectionTcpIntermediate,
    'obfuscated': connection.ConnectionTcpObfuscated,
    'mtproxy abridged': connection.ConnectionTcpMTProxyAbridged,
    'mtproxy intermediate': connection.ConnectionTcpMTProxyIntermediate,
    'mtproxy padded': connection.ConnectionTcpMTProxyRandomizedIntermediate,
}


def write(value):
    sys.stdout.write(json.dumps(value) + '\n')
    sys.stdout.flush()


async def setup(key, host, port, dc):
    rsa.add_key(key, old=False)
    settings.update(host=host, port=port, dc=dc)


async def open_client(client, how='full', session='', proxy=None):
    made = StringSession(session)
    if not session:
        made.set_dc(settings['dc'], settings['host'], settings['port'])
    telegram = TelegramClient(
        made, 1, 'hash',
        connection=CONNECTIONS[how],
        proxy=tuple(proxy) if proxy else None,
        connection_retries=20, retry_delay=0.05, device_model='telethon')
    await telegram.connect()
    clients[client] = telegram

    async def on_message(event):
        write({'event': 'text', 'client': client, 'text': event.raw_text, 'sender': event.sender_id})

    telegram.add_event_handler(on_message, events.NewMessage(incoming=True))


async def log_in(client, phone, code, password=None):
    telegram = clients[client]
    await telegram.send_code_request(phone)
    from telethon.errors import SessionPasswordNeededError
    try:
        me = await telegram.sign_in(phone, code)
    except SessionPasswordNeededError:
        if password is None:
            raise
        me = await telegram.sign_in(password=password)
    return me.id


async def password(client, password):
    return (await clients[client].sign_in(password=password)).id


async def bot(client, token):
    me = await clients[client].sign_in(bot_token=token)
    return [me.id, me.bot]


async def me(client):
    user = await clients[client].get_me()
    return [user.id, user.phone]


async def nearest(client):
    return (await clients[client](functions.help.GetNearestDcRequest())).this_dc


async def config(client):
    return (await clients[client](functions.help.GetConfigRequest())).this_dc


async def many(client, count):
    answers = await asyncio.gather(*[nearest(client) for _ in range(count)])
    return len(answers)


async def unknown(client):
    try:
        await clients[client](functions.help.GetSupportRequest())
    except Exception as error:
        return type(error).__name__
    return ''


async def send(client, to, text):
    if isinstance(to, int):
        # a number alone is not enough to name somebody: the dialogs say more
        await clients[client].get_dialogs()
    return (await clients[client].send_message(to, text)).id


async def history(client, peer):
    return [message.raw_text async for message in clients[client].iter_messages(peer, limit=10)]


async def dialogs(client):
    return [dialog.message.raw_text async for dialog in clients[client].iter_dialogs(limit=10)]


async def upload(client, to, path):
    await clients[client].send_file(to, path, force_document=True)


async def download(client, peer, path):
    [message] = await clients[client].get_messages(peer, limit=1)
    await clients[client].download_media(message, path)


async def difference(client):
    """What was missed: it keeps no state of its own that would make it ask."""
    await clients[client].catch_up()


async def save(client):
    return clients[client].session.save()


async def log_out(client):
    return await clients[client].log_out()


async def close(client):
    await clients.pop(client).disconnect()


COMMANDS = {
    name: value for name, value in list(globals().items())
    if asyncio.iscoroutinefunction(value)
}


async def serve(line):
    request = json.loads(line)
    try:
        result = await COMMANDS[request['do']](**request.get('with', {}))
        write({'id': request['id'], 'result': result})
    except Exception as error:
        write({'id': request['id'], 'error': f'{type(error).__name__}: {error}'})


async def main():
    loop = asyncio.get_event_loop()
    reader = asyncio.StreamReader(limit=2 ** 20)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    running = set()
    while True:
        line = await reader.readline()
        if not line:
            break
        task = loop.create_task(serve(line))
        running.add(task)
        task.add_done_callback(running.discard)


def run():
    asyncio.get_event_loop_policy().get_event_loop().run_until_complete(main())


if __name__ == '__main__':
    run()

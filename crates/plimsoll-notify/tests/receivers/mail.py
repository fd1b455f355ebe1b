"""A mail server that prints each mail as Python's own library reads it, one JSON object a line.

Arguments: starttls | tls | plain, and then the files of its certificate and key.
"""

import asyncio
import email.parser
import email.policy
import json
import ssl
import sys

from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword

MODE = sys.argv[1]


class Printed:
    async def handle_RCPT(self, server, session, envelope, address, options):
        if address.startswith("busy"):
            return "451 4.7.1 come again"
        if address.startswith("unknown"):
            return "550 5.1.1 no such user"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        mail = email.parser.BytesParser(policy=email.policy.default).parsebytes(envelope.original_content)
        print(json.dumps({
            "to": envelope.rcpt_tos,
            "from": envelope.mail_from,
            "tls": MODE == "tls" or session.ssl is not None,
            "user": session.auth_data.login.decode() if session.auth_data else None,
            "headers": [[name, str(value)] for name, value in mail.items()],
            "defects": [repr(defect) for defect in mail.defects],
            "longest": max(map(len, envelope.original_content.split(b"\r\n"))),
            "body": mail.get_content(),
        }), flush=True)
        return "250 OK"


def authenticate(server, session, envelope, mechanism, data):
    good = isinstance(data, LoginPassword) and data.password == b"s3cret pass"
    if not good and data.password.startswith(b"echo"):
        # A server that says what it was told.
        return AuthResult(success=False, handled=False, message="535 no: " + data.password.decode())
    return AuthResult(success=good, handled=False, auth_data=data)


context = None
if MODE in ("starttls", "tls"):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(sys.argv[2], sys.argv[3])
options = {"authenticator": authenticate, "auth_require_tls": MODE == "starttls", "hostname": "localhost"}
if MODE == "starttls":
    options |= {"tls_context": context, "require_starttls": True}


async def main():
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: SMTP(Printed(), loop=loop, **options), "127.0.0.1", 0, ssl=context if MODE == "tls" else None
    )
    print(server.sockets[0].getsockname()[1], flush=True)
    # It ends with the test: its standard input is closed then.
    await loop.run_in_executor(None, sys.stdin.read)


asyncio.run(main())

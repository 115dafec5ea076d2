"""Makes API keys as their owners do, in the folder that is the only argument: NAME.pem is private, NAME.pub.pem is what the
exchange is given. The RSA keys come in the two forms that the venue's users have."""

import pathlib
import sys

from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat


def keep(folder, name, key, form):
    (folder / f"{name}.pem").write_bytes(key.private_bytes(Encoding.PEM, form, NoEncryption()))
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    (folder / f"{name}.pub.pem").write_bytes(public)


def main():
    folder = pathlib.Path(sys.argv[1])
    # The venue hands out PKCS#1, OpenSSL makes PKCS#8.
    keep(folder, "maker", rsa.generate_private_key(65537, 2048), PrivateFormat.TraditionalOpenSSL)
    keep(folder, "taker", rsa.generate_private_key(65537, 2048), PrivateFormat.PKCS8)
    keep(folder, "ed25519", ed25519.Ed25519PrivateKey.generate(), PrivateFormat.PKCS8)


if __name__ == "__main__":
    main()

// Makes API keys as their owners do, in the folder that is the only argument: NAME.pem is private, NAME.pub.pem is what the
// exchange is given. The RSA keys come in the two forms that the venue's users have.
"use strict";

const fs = require("node:fs");
const path = require("node:path");
const { generateKeyPairSync } = require("node:crypto");

function keep(name, kind, options, type) {
  const { privateKey, publicKey } = generateKeyPairSync(kind, options);
  fs.writeFileSync(path.join(process.argv[2], `${name}.pem`), privateKey.export({ type, format: "pem" }));
  fs.writeFileSync(path.join(process.argv[2], `${name}.pub.pem`), publicKey.export({ type: "spki", format: "pem" }));
}

keep("maker", "rsa", { modulusLength: 2048 }, "pkcs1");
keep("taker", "rsa", { modulusLength: 2048 }, "pkcs8");
keep("ed25519", "ed25519", {}, "pkcs8");

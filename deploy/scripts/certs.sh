#!/usr/bin/env bash
# Creates what the stack proves itself with: a development certificate authority, a certificate
# per service, the key pair that signs access tokens. Keeps what is complete and not about to
# expire. Private keys are readable by their owner alone.
#   certs.sh          makes what is missing
#   certs.sh folder   the same, and prints the folder alone
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

NAMES=(edge auth jobs billing gpu ctl test)
RENEW_BEFORE_DAYS=14
CERTIFICATE_DAYS=180
AUTHORITY_DAYS=1825

if [ "${1:-}" = folder ]; then
  "$0" >&2
  echo "$CERTS"
  exit
fi

make_state
mkdir -p -m 700 "$CERTS"
cd "$CERTS"

new_key() { openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$1" 2>/dev/null; }
same_key() {
  [ "$(openssl pkey -in "$1.key" -pubout 2>/dev/null)" = "$(openssl x509 -in "$1.crt" -noout -pubkey 2>/dev/null)" ]
}
# Valid now and until the day of renewal, under our authority.
valid() {
  local later
  later=$(date -d "+$RENEW_BEFORE_DAYS days" +%s)
  [ -s "$1.key" ] && [ -s "$1.crt" ] && same_key "$1" &&
    openssl verify -CAfile ca.crt "$1.crt" >/dev/null 2>&1 &&
    openssl verify -attime "$later" -CAfile ca.crt "$1.crt" >/dev/null 2>&1
}

make_authority() {
  say "creating the development certificate authority"
  rm -f ./*.crt ./*.key
  new_key ca.key
  openssl req -x509 -new -key ca.key -sha256 -days "$AUTHORITY_DAYS" -out ca.crt \
    -subj "/O=OneShot development/CN=OneShot development CA" \
    -addext "basicConstraints=critical,CA:TRUE,pathlen:0" \
    -addext "keyUsage=critical,keyCertSign,cRLSign"
}

# issue <file> <common name> <subject alternative names> <extended key usage>
issue() {
  new_key "$1.key.new"
  openssl req -new -key "$1.key.new" -subj "/O=OneShot development/CN=$2" |
    openssl x509 -req -CA ca.crt -CAkey ca.key -set_serial "0x$(openssl rand -hex 16)" -sha256 \
      -days "$CERTIFICATE_DAYS" -out "$1.crt.new" -extfile <(
        printf '%s\n' "basicConstraints=critical,CA:FALSE" "keyUsage=critical,digitalSignature" \
          "extendedKeyUsage=$4" "subjectAltName=$3" \
          "subjectKeyIdentifier=hash" "authorityKeyIdentifier=keyid"
      ) 2>/dev/null
  mv "$1.key.new" "$1.key"
  mv "$1.crt.new" "$1.crt"
}

issue_service() {
  issue "$1" "$1" \
    "DNS:$1,DNS:localhost,IP:127.0.0.1,IP:::1,URI:spiffe://oneshot/$1" "serverAuth,clientAuth"
}

valid ca || make_authority
for name in "${NAMES[@]}"; do
  valid "$name" || { note "certificate of '$name'" && issue_service "$name"; }
done
# What phones see: no service name in it, so it opens no door inside.
valid public || { note "certificate of the public address" &&
  issue public localhost "DNS:localhost,IP:127.0.0.1,IP:::1" serverAuth; }

if ! openssl pkey -in jwt.private.pem -noout 2>/dev/null || [ ! -s jwt.public.pem ]; then
  note "key pair that signs access tokens"
  new_key jwt.private.pem
  openssl pkey -in jwt.private.pem -pubout -out jwt.public.pem
fi
for name in store webhook; do [ -s "$name.key" ] || openssl rand -hex 32 >"$name.key"; done
chmod 600 ./*.key ./*.pem

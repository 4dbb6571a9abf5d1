"""Verifies tokens as a Python back end does: with python-jose and with PyJWT, by the keys at the JWKS address.

Reads {"jwks_url", "issuer", "audience", "tokens"} from standard input and writes, for each library and each token,
the claims it accepted or the name of the error it raised.
"""

import json
import sys
from urllib.request import urlopen

import jwt
from jose import jwt as jose_jwt
from jose.exceptions import JOSEError


def with_jose(token, jwks_url, issuer, audience):
    with urlopen(jwks_url) as response:
        keys = {key["kid"]: key for key in json.load(response)["keys"]}
    key = keys[jose_jwt.get_unverified_header(token)["kid"]]
    return jose_jwt.decode(token, key, algorithms=["RS256"], audience=audience, issuer=issuer)


def with_pyjwt(token, jwks_url, issuer, audience):
    key = jwt.PyJWKClient(jwks_url).get_signing_key_from_jwt(token).key
    return jwt.decode(
        token,
        key,
        algorithms=["RS256"],
        audience=audience,
        issuer=issuer,
        options={"require": ["exp", "iat", "sub", "aud", "iss"]},
    )


def outcome(verify, token, question):
    try:
        return {"claims": verify(token, question["jwks_url"], question["issuer"], question["audience"])}
    except (JOSEError, jwt.PyJWTError) as error:
        return {"error": type(error).__name__}


def main():
    question = json.load(sys.stdin)
    libraries = {"python-jose": with_jose, "PyJWT": with_pyjwt}
    json.dump(
        {
            library: {name: outcome(verify, token, question) for name, token in question["tokens"].items()}
            for library, verify in libraries.items()
        },
        sys.stdout,
    )


if __name__ == "__main__":
    main()

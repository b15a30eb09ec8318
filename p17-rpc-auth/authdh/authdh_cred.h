/* authdh_cred.h - credentials and verifiers of AUTH_DH as they lie in a
 * message, RFC 2695 section 2.
 *
 * The first call of a conversation names the caller in full and brings along
 * a DES key, encrypted with the key that only the two of them can compute.
 * The server answers with a nickname, and all further calls say no more than
 * that. What proves a call is its timestamp, encrypted with the key of the
 * conversation.
 *
 *	full name	credential 0, name, E(key), half of E(window)
 *			verifier E(timestamp), half of E(window - 1)
 *	nickname	credential 1, nickname
 *			verifier E(timestamp), four bytes of no meaning
 *	reply		verifier E(timestamp - 1 second), nickname
 *
 * Bytes in, bytes out: any thread may call any of these. */
#ifndef UNIXIPC_P17_RPC_AUTH_AUTHDH_AUTHDH_CRED_H
#define UNIXIPC_P17_RPC_AUTH_AUTHDH_AUTHDH_CRED_H

#include <stdint.h>

#include "lib/rpc/rpc_message.h"
#include "p17-rpc-auth/authdh/dh.h"
#include "p17-rpc-auth/netname.h"

enum authdh_kind { AUTHDH_FULLNAME = 0, AUTHDH_NICKNAME = 1 };

enum { AUTHDH_VERIFIER = 12 }; /* bytes of each verifier */

/* Of one call, still encrypted. */
struct authdh_cred {
	enum authdh_kind kind;
	/* AUTHDH_FULLNAME */
	char name[NETNAME_MAX + 1];
	uint8_t key[DH_DES];
	uint8_t window[4];
	uint8_t window_check[4]; /* in the verifier */
	/* AUTHDH_NICKNAME */
	uint32_t nickname;
	/* of both, in the verifier */
	uint8_t time[DH_DES];
};

/* To and from a message. Decoding returns 0 or -EBADMSG: bytes missing or too
 * many, a kind or a name that is none. Encoding always has room. */
void authdh_cred_encode(const struct authdh_cred *cred,
			struct rpc_verifier *credential,
			struct rpc_verifier *verifier);
int authdh_cred_decode(struct authdh_cred *cred,
		       const struct rpc_opaque *credential);
int authdh_cred_decode_verifier(struct authdh_cred *cred,
				const struct rpc_opaque *verifier);

/* Encrypt, and decrypt. Times are in microseconds since 1970. Opening returns
 * 0 or -EBADMSG: what comes out is no timestamp, or the window does not fit
 * its check, so that other keys have been used. */
void authdh_cred_seal_fullname(struct authdh_cred *cred, const char *name,
			       const uint8_t common[DH_DES],
			       const uint8_t key[DH_DES], int64_t time_us,
			       uint32_t window_s);
int authdh_cred_open_fullname(const struct authdh_cred *cred,
			      const uint8_t common[DH_DES], uint8_t key[DH_DES],
			      int64_t *time_us, uint32_t *window_s);
void authdh_cred_seal_nickname(struct authdh_cred *cred, uint32_t nickname,
			       const uint8_t key[DH_DES], int64_t time_us);
int authdh_cred_open_nickname(const struct authdh_cred *cred,
			      const uint8_t key[DH_DES], int64_t *time_us);

/* The verifier of the reply to a call of time_us. Opening returns 0 and
 * *nickname, or -EBADMSG: not of that call, or not made with the key. */
void authdh_cred_seal_reply(struct rpc_verifier *verifier,
			    const uint8_t key[DH_DES], int64_t time_us,
			    uint32_t nickname);
int authdh_cred_open_reply(const struct rpc_opaque *verifier,
			   const uint8_t key[DH_DES], int64_t time_us,
			   uint32_t *nickname);

#endif

#include "p17-rpc-auth/authdh/authdh_cred.h"

#include <errno.h>
#include <string.h>

#define SECOND INT64_C(1000000)

/* ---- in a message ---- */

void authdh_cred_encode(const struct authdh_cred *cred,
			struct rpc_verifier *credential,
			struct rpc_verifier *verifier)
{
	uint8_t *to = rpc_message_put32(credential->body, cred->kind);
	size_t length = strnlen(cred->name, NETNAME_MAX);

	if (cred->kind == AUTHDH_NICKNAME) {
		to = rpc_message_put32(to, cred->nickname);
	} else {
		to = rpc_message_put32(to, (uint32_t)length);
		memset(to, 0, (length + 3) & ~(size_t)3);
		memcpy(to, cred->name, length);
		to += (length + 3) & ~(size_t)3;
		memcpy(to, cred->key, sizeof(cred->key));
		to += sizeof(cred->key);
		memcpy(to, cred->window, sizeof(cred->window));
		to += sizeof(cred->window);
	}
	credential->flavor = verifier->flavor = AUTH_DH;
	credential->bytes = (uint32_t)(to - credential->body);
	verifier->bytes = AUTHDH_VERIFIER;
	memset(verifier->body, 0, AUTHDH_VERIFIER);
	memcpy(verifier->body, cred->time, sizeof(cred->time));
	if (cred->kind == AUTHDH_FULLNAME)
		memcpy(verifier->body + DH_DES, cred->window_check,
		       sizeof(cred->window_check));
}

static int decode_fullname(struct authdh_cred *cred, const uint8_t *from,
			   size_t bytes)
{
	size_t length, padded;

	if (bytes < 4)
		return -EBADMSG;
	length = rpc_message_get32(from);
	if (length == 0 || length > NETNAME_MAX)
		return -EBADMSG;
	padded = (length + 3) & ~(size_t)3;
	if (bytes != 4 + padded + DH_DES + 4)
		return -EBADMSG;
	from += 4;
	memcpy(cred->name, from, length);
	memcpy(cred->key, from + padded, DH_DES);
	memcpy(cred->window, from + padded + DH_DES, 4);
	/* A '\0' within would end it early. */
	if (strlen(cred->name) != length || netname_check(cred->name))
		return -EBADMSG;
	for (size_t i = length; i < padded; i++)
		if (from[i] != 0)
			return -EBADMSG;
	return 0;
}

int authdh_cred_decode(struct authdh_cred *cred,
		       const struct rpc_opaque *credential)
{
	const uint8_t *from = credential->body;
	uint32_t kind;

	memset(cred, 0, sizeof(*cred));
	if (credential->flavor != AUTH_DH || credential->bytes < 8)
		return -EBADMSG;
	kind = rpc_message_get32(from);
	if (kind == AUTHDH_FULLNAME) {
		cred->kind = AUTHDH_FULLNAME;
		return decode_fullname(cred, from + 4, credential->bytes - 4);
	}
	if (kind != AUTHDH_NICKNAME || credential->bytes != 8)
		return -EBADMSG;
	cred->kind = AUTHDH_NICKNAME;
	cred->nickname = rpc_message_get32(from + 4);
	return 0;
}

int authdh_cred_decode_verifier(struct authdh_cred *cred,
				const struct rpc_opaque *verifier)
{
	if (verifier->flavor != AUTH_DH || verifier->bytes != AUTHDH_VERIFIER)
		return -EBADMSG;
	memcpy(cred->time, verifier->body, DH_DES);
	memcpy(cred->window_check, verifier->body + DH_DES, 4);
	return 0;
}

/* ---- encrypted ---- */

static void put_time(uint8_t block[DH_DES], int64_t time_us)
{
	rpc_message_put32(
		rpc_message_put32(block, (uint32_t)(time_us / SECOND)),
		(uint32_t)(time_us % SECOND));
}

static int get_time(const uint8_t block[DH_DES], int64_t *time_us)
{
	uint32_t microseconds = rpc_message_get32(block + 4);

	if (microseconds >= SECOND)
		return -EBADMSG;
	*time_us = (int64_t)rpc_message_get32(block) * SECOND + microseconds;
	return 0;
}

void authdh_cred_seal_fullname(struct authdh_cred *cred, const char *name,
			       const uint8_t common[DH_DES],
			       const uint8_t key[DH_DES], int64_t time_us,
			       uint32_t window_s)
{
	uint8_t blocks[2 * DH_DES];

	*cred = (struct authdh_cred){.kind = AUTHDH_FULLNAME};
	memcpy(cred->name, name, strnlen(name, NETNAME_MAX));
	memcpy(cred->key, key, DH_DES);
	dh_ecb_encrypt(common, cred->key, DH_DES);
	/* One chain, so that no half can be put in the place of another. */
	put_time(blocks, time_us);
	rpc_message_put32(rpc_message_put32(blocks + DH_DES, window_s),
			  window_s - 1);
	dh_cbc_encrypt(key, blocks, sizeof(blocks));
	memcpy(cred->time, blocks, DH_DES);
	memcpy(cred->window, blocks + DH_DES, 4);
	memcpy(cred->window_check, blocks + DH_DES + 4, 4);
}

int authdh_cred_open_fullname(const struct authdh_cred *cred,
			      const uint8_t common[DH_DES], uint8_t key[DH_DES],
			      int64_t *time_us, uint32_t *window_s)
{
	uint8_t blocks[2 * DH_DES];
	uint32_t window;

	memcpy(key, cred->key, DH_DES);
	dh_ecb_decrypt(common, key, DH_DES);
	memcpy(blocks, cred->time, DH_DES);
	memcpy(blocks + DH_DES, cred->window, 4);
	memcpy(blocks + DH_DES + 4, cred->window_check, 4);
	dh_cbc_decrypt(key, blocks, sizeof(blocks));
	window = rpc_message_get32(blocks + DH_DES);
	if (rpc_message_get32(blocks + DH_DES + 4) != window - 1)
		return -EBADMSG;
	*window_s = window;
	return get_time(blocks, time_us);
}

void authdh_cred_seal_nickname(struct authdh_cred *cred, uint32_t nickname,
			       const uint8_t key[DH_DES], int64_t time_us)
{
	*cred = (struct authdh_cred){
		.kind = AUTHDH_NICKNAME,
		.nickname = nickname,
	};
	put_time(cred->time, time_us);
	dh_ecb_encrypt(key, cred->time, DH_DES);
}

int authdh_cred_open_nickname(const struct authdh_cred *cred,
			      const uint8_t key[DH_DES], int64_t *time_us)
{
	uint8_t block[DH_DES];

	memcpy(block, cred->time, DH_DES);
	dh_ecb_decrypt(key, block, DH_DES);
	return get_time(block, time_us);
}

void authdh_cred_seal_reply(struct rpc_verifier *verifier,
			    const uint8_t key[DH_DES], int64_t time_us,
			    uint32_t nickname)
{
	verifier->flavor = AUTH_DH;
	verifier->bytes = AUTHDH_VERIFIER;
	/* Not what the client has sent: an echo would prove nothing. */
	put_time(verifier->body, time_us - SECOND);
	dh_ecb_encrypt(key, verifier->body, DH_DES);
	rpc_message_put32(verifier->body + DH_DES, nickname);
}

int authdh_cred_open_reply(const struct rpc_opaque *verifier,
			   const uint8_t key[DH_DES], int64_t time_us,
			   uint32_t *nickname)
{
	uint8_t block[DH_DES];
	int64_t answered_us;

	if (verifier->flavor != AUTH_DH || verifier->bytes != AUTHDH_VERIFIER)
		return -EBADMSG;
	memcpy(block, verifier->body, DH_DES);
	dh_ecb_decrypt(key, block, DH_DES);
	if (get_time(block, &answered_us) || answered_us + SECOND != time_us)
		return -EBADMSG;
	*nickname = rpc_message_get32(verifier->body + DH_DES);
	return 0;
}

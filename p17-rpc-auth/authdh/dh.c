/* dh.c - numbers by gmp, whose mpz_powm_sec takes the same time for every
 * secret, and DES by nettle. */
#include "p17-rpc-auth/authdh/dh.h"

#include <errno.h>
#include <gmp.h>
#include <nettle/cbc.h>
#include <nettle/des.h>
#include <stdbool.h>
#include <string.h>
#include <sys/random.h>

static void import(mpz_t number, const uint8_t bytes[DH_KEY])
{
	mpz_import(number, DH_KEY, 1, 1, 1, 0, bytes);
}

static void export(uint8_t bytes[DH_KEY], const mpz_t number)
{
	size_t n = mpz_sizeinbase(number, 256);

	memset(bytes, 0, DH_KEY);
	if (mpz_sgn(number) != 0)
		mpz_export(bytes + DH_KEY - n, NULL, 1, 1, 1, 0, number);
}

/* mpz_clear() leaves in the heap what was there. */
static void wipe_and_clear(mpz_t secret)
{
	const size_t limbs = mpz_size(secret);

	dh_wipe(mpz_limbs_modify(secret, (mp_size_t)limbs),
		limbs * sizeof(mp_limb_t));
	mpz_clear(secret);
}

/* base to the power of secret. A secret of 0 is none, and mpz_powm_sec() would
 * divide by zero: its power is 1. */
static void power(mpz_t result, const mpz_t base, const uint8_t secret[DH_KEY],
		  const mpz_t modulus)
{
	mpz_t exponent;

	mpz_init(exponent);
	import(exponent, secret);
	if (mpz_sgn(exponent) == 0)
		mpz_set_ui(result, 1);
	else
		mpz_powm_sec(result, base, exponent, modulus);
	wipe_and_clear(exponent);
}

/* getrandom(2) gives fewer than 256 bytes at once, or none. */
static int randomise(void *bytes, size_t n)
{
	ssize_t got;

	do
		got = getrandom(bytes, n, 0);
	while (got < 0 && errno == EINTR);
	if (got < 0)
		return -errno;
	return (size_t)got == n ? 0 : -EIO;
}

/* 1 … modulus - 2, each as likely as the others: what lies outside, a sixth of
 * all, is thrown again. */
static bool is_secret(const uint8_t secret[DH_KEY])
{
	mpz_t modulus, number;
	bool is_one;

	mpz_init_set_str(modulus, DH_MODULUS, 16);
	mpz_init(number);
	import(number, secret);
	mpz_sub_ui(modulus, modulus, 1);
	is_one = mpz_sgn(number) > 0 && mpz_cmp(number, modulus) < 0;
	wipe_and_clear(number);
	mpz_clear(modulus);
	return is_one;
}

int dh_generate(uint8_t secret[DH_KEY], uint8_t public_key[DH_KEY])
{
	int error;

	do
		error = randomise(secret, DH_KEY);
	while (!error && !is_secret(secret));
	if (!error)
		dh_public(secret, public_key);
	return error;
}

void dh_public(const uint8_t secret[DH_KEY], uint8_t public_key[DH_KEY])
{
	mpz_t modulus, root, result;

	mpz_init_set_str(modulus, DH_MODULUS, 16);
	mpz_init_set_ui(root, DH_ROOT);
	mpz_init(result);
	power(result, root, secret, modulus);
	export(public_key, result);
	mpz_clears(modulus, root, result, NULL);
}

int dh_common(const uint8_t secret[DH_KEY], const uint8_t their_public[DH_KEY],
	      uint8_t common[DH_KEY])
{
	mpz_t modulus, last, theirs, result;
	int error = -EBADMSG;

	mpz_init_set_str(modulus, DH_MODULUS, 16);
	mpz_inits(last, theirs, result, NULL);
	mpz_sub_ui(last, modulus, 1);
	import(theirs, their_public);
	if (mpz_cmp_ui(theirs, 1) > 0 && mpz_cmp(theirs, last) < 0) {
		power(result, theirs, secret, modulus);
		export(common, result);
		error = 0;
	}
	wipe_and_clear(result);
	mpz_clears(modulus, last, theirs, NULL);
	return error;
}

void dh_des_key(const uint8_t common[DH_KEY], uint8_t key[DH_DES])
{
	for (int i = 0; i < DH_DES; i++)
		key[i] = common[DH_KEY - DH_DES - 1 - i];
	nettle_des_fix_parity(DH_DES, key, key);
}

int dh_conversation_key(uint8_t key[DH_DES])
{
	int error = randomise(key, DH_DES);

	nettle_des_fix_parity(DH_DES, key, key);
	return error;
}

/* ---- DES ---- */

/* It returns 0 for the keys that are known to be weak, and sets them all the
 * same: to refuse one in 2^52 would be no gain here. */
static void set_key(struct des_ctx *ctx, const uint8_t key[DH_DES])
{
	(void)nettle_des_set_key(ctx, key);
}

void dh_ecb_encrypt(const uint8_t key[DH_DES], void *block, size_t bytes)
{
	struct des_ctx ctx;

	set_key(&ctx, key);
	nettle_des_encrypt(&ctx, bytes, block, block);
	dh_wipe(&ctx, sizeof(ctx));
}

void dh_ecb_decrypt(const uint8_t key[DH_DES], void *block, size_t bytes)
{
	struct des_ctx ctx;

	set_key(&ctx, key);
	nettle_des_decrypt(&ctx, bytes, block, block);
	dh_wipe(&ctx, sizeof(ctx));
}

void dh_cbc_encrypt(const uint8_t key[DH_DES], void *blocks, size_t bytes)
{
	struct CBC_CTX(struct des_ctx, DES_BLOCK_SIZE) ctx = {0};

	set_key(&ctx.ctx, key);
	CBC_ENCRYPT(&ctx, nettle_des_encrypt, bytes, blocks, blocks);
	dh_wipe(&ctx, sizeof(ctx));
}

void dh_cbc_decrypt(const uint8_t key[DH_DES], void *blocks, size_t bytes)
{
	struct CBC_CTX(struct des_ctx, DES_BLOCK_SIZE) ctx = {0};

	set_key(&ctx.ctx, key);
	CBC_DECRYPT(&ctx, nettle_des_decrypt, bytes, blocks, blocks);
	dh_wipe(&ctx, sizeof(ctx));
}

/* ---- as text ---- */

void dh_format(const uint8_t key[DH_KEY], char hex[DH_HEX])
{
	static const char digits[] = "0123456789abcdef";

	for (int i = 0; i < DH_KEY; i++) {
		*hex++ = digits[key[i] >> 4];
		*hex++ = digits[key[i] & 15];
	}
	*hex = '\0';
}

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

int dh_parse(const char *hex, uint8_t key[DH_KEY])
{
	uint8_t bytes[DH_KEY] = {0};

	for (int i = 0; i < 2 * DH_KEY; i++) {
		int d = digit(hex[i]); /* of the '\0' too: no digit */

		if (d < 0)
			return -EINVAL;
		bytes[i / 2] = (uint8_t)(bytes[i / 2] << 4 | d);
	}
	if (hex[2 * DH_KEY])
		return -EINVAL;
	memcpy(key, bytes, DH_KEY);
	dh_wipe(bytes, sizeof(bytes));
	return 0;
}

void dh_wipe(void *secret, size_t bytes)
{
	explicit_bzero(secret, bytes);
}

/* Numbers that another program has computed (Python's pow), and the known
 * answer of DES. */
#include <errno.h>
#include <rpc/key_prot.h>
#include <string.h>

#include "p17-rpc-auth/authdh/dh.h"
#include "tests/support/support.h"

#define SECRET_A "0123456789abcdef0123456789abcdef0123456789abcdef"
#define SECRET_B "2a3c0096259d34e238b5d2a8a01c529948074b0f4215b0ed"
#define PUBLIC_A "0893b637888aaa67c2507a72dce1d4107d4523d579cbb14a"
#define PUBLIC_B "88129995a1ff2d53b6415533583c326c07b91eab424c3502"
#define COMMON "392354a305b5a6cefe383ff694bb695de0c08ce35c96b7d3"

static void parse(const char *hex, uint8_t key[DH_KEY])
{
	assert_int_equal(dh_parse(hex, key), 0);
}

static void assert_key(const uint8_t key[DH_KEY], const char *hex)
{
	char text[DH_HEX];

	dh_format(key, text);
	assert_string_equal(text, hex);
}

static void modulus_and_root_are_those_of_everybody(void **state)
{
	(void)state;
	assert_string_equal(DH_MODULUS, HEXMODULUS);
	assert_int_equal(DH_ROOT, PROOT);
	assert_int_equal(8 * DH_KEY, KEYSIZE);
}

static void keys_are_those_that_another_program_computes(void **state)
{
	uint8_t a[DH_KEY], b[DH_KEY], key[DH_KEY], other[DH_KEY];

	(void)state;
	parse(SECRET_A, a);
	parse(SECRET_B, b);
	dh_public(a, key);
	assert_key(key, PUBLIC_A);
	dh_public(b, other);
	assert_key(other, PUBLIC_B);
	assert_int_equal(dh_common(b, key, a), 0);
	assert_key(a, COMMON);
}

static void both_sides_compute_the_same_key(void **state)
{
	uint8_t secret[2][DH_KEY], public[2][DH_KEY], common[2][DH_KEY];

	(void)state;
	for (int i = 0; i < 20; i++) {
		for (int side = 0; side < 2; side++)
			assert_int_equal(
				dh_generate(secret[side], public[side]), 0);
		for (int side = 0; side < 2; side++)
			assert_int_equal(dh_common(secret[side],
						   public[1 - side],
						   common[side]),
					 0);
		assert_memory_equal(common[0], common[1], DH_KEY);
		assert_memory_not_equal(secret[0], secret[1], DH_KEY);
	}
}

static void public_keys_that_give_it_away_are_refused(void **state)
{
	static const char *const bad[] = {
		"000000000000000000000000000000000000000000000000",
		"000000000000000000000000000000000000000000000001",
		"d4a0ba0250b6fd2ec626e7efd637df76c716e22d0944b88a",
		"d4a0ba0250b6fd2ec626e7efd637df76c716e22d0944b88b",
		"d4a0ba0250b6fd2ec626e7efd637df76c716e22d0944b88c",
		"ffffffffffffffffffffffffffffffffffffffffffffffff",
	};
	uint8_t secret[DH_KEY], public[DH_KEY], common[DH_KEY];

	(void)state;
	parse(SECRET_A, secret);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		parse(bad[i], public);
		assert_int_equal(dh_common(secret, public, common), -EBADMSG);
	}
	/* A secret of 0 is none, but nothing falls over it. */
	memset(secret, 0, sizeof(secret));
	dh_public(secret, public);
	assert_key(public, bad[1]);
}

static void des_key_is_the_middle_with_odd_parity(void **state)
{
	static const uint8_t wanted[DH_DES] = {0x5d, 0x68, 0xba, 0x94,
					       0xf7, 0x3e, 0x38, 0xfe};
	uint8_t common[DH_KEY], key[DH_DES];

	(void)state;
	parse(COMMON, common);
	dh_des_key(common, key);
	assert_memory_equal(key, wanted, DH_DES);
	assert_int_equal(dh_conversation_key(key), 0);
	for (int i = 0; i < DH_DES; i++)
		assert_int_equal(__builtin_popcount(key[i]) % 2, 1);
}

static void des_gives_the_known_answer(void **state)
{
	static const uint8_t key[DH_DES] = {0x01, 0x23, 0x45, 0x67,
					    0x89, 0xab, 0xcd, 0xef};
	static const uint8_t wanted[DH_DES] = {0x3f, 0xa4, 0x0e, 0x8a,
					       0x98, 0x4d, 0x48, 0x15};
	static const uint8_t text[16] = {'N', 'o', 'w', ' ', 'i', 's',
					 ' ', 't', 'h', 'e', ' ', 't',
					 'i', 'm', 'e', ' '};
	uint8_t blocks[16], second[DH_DES];

	(void)state;
	memcpy(blocks, text, 16);
	dh_ecb_encrypt(key, blocks, DH_DES);
	assert_memory_equal(blocks, wanted, DH_DES);
	dh_ecb_decrypt(key, blocks, DH_DES);
	assert_memory_equal(blocks, text, 16);
	/* A chain: each block has the one before it in itself. */
	for (int i = 0; i < DH_DES; i++)
		second[i] = (uint8_t)text[DH_DES + i] ^ wanted[i];
	dh_ecb_encrypt(key, second, DH_DES);
	dh_cbc_encrypt(key, blocks, sizeof(blocks));
	assert_memory_equal(blocks, wanted, DH_DES);
	assert_memory_equal(blocks + DH_DES, second, DH_DES);
	dh_cbc_decrypt(key, blocks, sizeof(blocks));
	assert_memory_equal(blocks, text, 16);
}

static void keys_are_48_digits(void **state)
{
	static const char *const bad[] = {
		"",
		"12",
		SECRET_A "0",
		SECRET_A " ",
		"0123456789abcdef0123456789abcdef0123456789abcdeg",
		"-123456789abcdef0123456789abcdef0123456789abcdef",
	};
	uint8_t key[DH_KEY];

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(dh_parse(bad[i], key), -EINVAL);
	parse("0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF", key);
	assert_key(key, SECRET_A);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(modulus_and_root_are_those_of_everybody),
		cmocka_unit_test(keys_are_those_that_another_program_computes),
		cmocka_unit_test(both_sides_compute_the_same_key),
		cmocka_unit_test(public_keys_that_give_it_away_are_refused),
		cmocka_unit_test(des_key_is_the_middle_with_odd_parity),
		cmocka_unit_test(des_gives_the_known_answer),
		cmocka_unit_test(keys_are_48_digits),
	};
	return SUPPORT_MAIN(tests);
}

/* dh.h - the mathematics of AUTH_DH, RFC 2695: a key pair of 192-bit
 * Diffie-Hellman, and the DES keys that are made from it.
 *
 * History, and no protection: logarithms in a group of that size, and DES keys
 * of 56 bits, are found by one machine. Numbers are big-endian, DH_KEY bytes
 * long. Any thread may call any of these. */
#ifndef UNIXIPC_P17_RPC_AUTH_AUTHDH_DH_H
#define UNIXIPC_P17_RPC_AUTH_AUTHDH_DH_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum {
	DH_KEY = 24, /* bytes of a public, secret or common key */
	DH_HEX = 2 * DH_KEY + 1,
	DH_DES = 8, /* bytes of a DES key or block */
};

/* The prime that everybody uses, and the root 3 of it. */
#define DH_MODULUS "d4a0ba0250b6fd2ec626e7efd637df76c716e22d0944b88b"
#define DH_ROOT 3

/* A new key pair, from getrandom(2). Returns 0 or -errno. */
int dh_generate(uint8_t secret[DH_KEY], uint8_t public_key[DH_KEY]);

/* The public key that belongs to a secret one. */
void dh_public(const uint8_t secret[DH_KEY], uint8_t public_key[DH_KEY]);

/* What both sides compute, each from its own secret and the other's public
 * key. Returns 0, or -EBADMSG for a public key that would make it known to
 * everybody: 0, 1, the modulus - 1, or not below the modulus. */
int dh_common(const uint8_t secret[DH_KEY], const uint8_t their_public[DH_KEY],
	      uint8_t common[DH_KEY]);

/* The DES key in a common key: its middle 64 bits, the lowest byte first (as
 * keyserv has always done it), each with odd parity. */
void dh_des_key(const uint8_t common[DH_KEY], uint8_t key[DH_DES]);

/* A random DES key, with parity. Returns 0 or -errno. */
int dh_conversation_key(uint8_t key[DH_DES]);

/* DES of whole blocks, in place. CBC begins with eight zero bytes. */
void dh_ecb_encrypt(const uint8_t key[DH_DES], void *block, size_t bytes);
void dh_ecb_decrypt(const uint8_t key[DH_DES], void *block, size_t bytes);
void dh_cbc_encrypt(const uint8_t key[DH_DES], void *blocks, size_t bytes);
void dh_cbc_decrypt(const uint8_t key[DH_DES], void *blocks, size_t bytes);

/* A key as 48 hexadecimal digits, and back: 0 or -EINVAL. */
void dh_format(const uint8_t key[DH_KEY], char hex[DH_HEX]);
int dh_parse(const char *hex, uint8_t key[DH_KEY]);

/* Overwrite a secret, even if nobody looks at it any more. */
void dh_wipe(void *secret, size_t bytes);

#ifdef __cplusplus
}
#endif

#endif

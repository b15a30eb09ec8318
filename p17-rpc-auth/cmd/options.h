/* options.h - what the three commands read in the same way: they end with one
 * line when it cannot be had. */
#ifndef UNIXIPC_P17_RPC_AUTH_CMD_OPTIONS_H
#define UNIXIPC_P17_RPC_AUTH_CMD_OPTIONS_H

#include <stddef.h>

#include "p17-rpc-auth/authdh/keys.h"

#define OPTIONS_KEYS "publickey"
#define OPTIONS_HOST "calc" /* the host name that the server has */

/* What --auth may say, in the order of enum service_auth; NULL at the end. */
extern const char *const options_auth[];
/* The names of the flavors in the same order, as they are printed. */
extern const char *const options_flavors[];

/* The file of public keys. */
void options_load_keys(struct keys *keys, const char *path);

/* A secret file; path NULL: "secret." and the middle of netname. Its name
 * must be among the keys, with the public key that belongs to it. */
void options_load_secret(struct keys_entry *secret, const char *path,
			 const char *netname, const struct keys *keys,
			 const char *keys_path);

/* "secret.1000" of "unix.1000@localdomain". Returns buf. */
const char *options_secret_path(const char *netname, char *buf, size_t size);

#endif

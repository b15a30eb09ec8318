/* base64.h - bytes as text, RFC 4648 section 4: how JSON carries keys and
 * values. */
#ifndef UNIXIPC_P18_RPC_KV_ETCD_BASE64_H
#define UNIXIPC_P18_RPC_KV_ETCD_BASE64_H

#include <stddef.h>
#include <sys/types.h>

/* Characters for so many bytes, padding included, without the zero byte. */
size_t base64_length(size_t bytes);

/* Writes base64_length(len) characters and a zero byte. */
void base64_encode(char *text, const void *bytes, size_t len);

/* The number of bytes, or -EBADMSG: not base64 (padding is required, and bits
 * that are left over are zero), or more than max. */
ssize_t base64_decode(void *bytes, size_t max, const char *text,
		      size_t text_len);

#endif

/* reading.h - fields of etcd's JSON, as anybody may have sent them.
 *
 * What is zero, false or empty is left out there, and 64-bit numbers are text.
 * A field that is something else than it should be is -EBADMSG.
 */
#ifndef UNIXIPC_P18_RPC_KV_ETCD_READING_H
#define UNIXIPC_P18_RPC_KV_ETCD_READING_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "p18-rpc-kv/kv.h"

int reading_number(const json_t *object, const char *name, uint64_t *number);
int reading_flag(const json_t *object, const char *name, bool *flag);

/* The store's revision, from the header; never 0. */
int reading_revision(const json_t *body, uint64_t *revision);

/* The pair at that place of a range's answer; xdr_free() frees it in any case.
 * -ENOENT: there are no more; -EFBIG: kv.x has no room for it, who ever put it
 * there; -ENOMEM. */
int reading_pair(const json_t *range, size_t at, kv_pair *pair);

#endif

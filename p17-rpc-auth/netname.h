/* netname.h - names of users and hosts that mean the same on every machine:
 * "unix.1000@example.org", "unix.calc@example.org". RFC 2695 section 2.1. */
#ifndef UNIXIPC_P17_RPC_AUTH_NETNAME_H
#define UNIXIPC_P17_RPC_AUTH_NETNAME_H

#include <stdint.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { NETNAME_MAX = 255 }; /* characters, without the '\0' */

#define NETNAME_DOMAIN "localdomain"

/* Any thread. All return 0 or -EINVAL: too long, or with characters other
 * than letters, digits, '.', '-' and '_'. */
int netname_of_user(char name[NETNAME_MAX + 1], uid_t uid, const char *domain);
int netname_of_host(char name[NETNAME_MAX + 1], const char *host,
		    const char *domain);

/* Whether it is a netname of the form unix.NAME@DOMAIN. */
int netname_check(const char *name);

/* The uid in a user's netname; -ENOENT for that of a host. */
int netname_uid(const char *name, uint32_t *uid);

#ifdef __cplusplus
}
#endif

#endif

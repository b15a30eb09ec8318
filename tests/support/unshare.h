/* unshare.h - namespaces of its own for a process of a test. */
#ifndef UNIXIPC_TESTS_SUPPORT_UNSHARE_H
#define UNIXIPC_TESTS_SUPPORT_UNSHARE_H

/* As unshare(2); for an ordinary user, who may make namespaces only in a user
 * namespace of its own, with CLONE_NEWUSER, and then as its root. 0 or -errno.
 * A PID or time namespace is for the children of who makes it. */
int unshare_as_anybody(int flags);

#endif

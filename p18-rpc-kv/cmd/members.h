/* members.h - the servers of a cluster, from a command line. */
#ifndef UNIXIPC_P18_RPC_KV_CMD_MEMBERS_H
#define UNIXIPC_P18_RPC_KV_CMD_MEMBERS_H

#include <stdint.h>

#include "p18-rpc-kv/durable/folder.h"

/* A port of clients above which there is none for servers (service.h) ends the
 * command, with status 2. */
void members_check_port(const char *option, unsigned int port);

/* Of this server, at address, and the others in a list such as
 * "localhost:9002,localhost:9003": members, sorted by id, and how many.
 *
 * An entry may say its id ("3=localhost:9003"). Where none does, they are the
 * servers 1, 2, 3 … in this order, but for our own id: so the list that each of
 * three servers is given, which leaves out itself, means the same to all. What is not
 * accepted ends the command, with status 2. peers may be NULL. */
uint32_t members_parse(uint64_t id, const char *address, const char *peers,
		       struct folder_member members[FOLDER_MEMBERS_MAX]);

#endif

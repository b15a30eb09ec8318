/* memory.h - an engine of one server that keeps all in memory: for trying out
 * clients until the real one is there. */
#ifndef UNIXIPC_P18_RPC_KV_MEMORY_H
#define UNIXIPC_P18_RPC_KV_MEMORY_H

#include "p18-rpc-kv/engine.h"

int memory_open(struct engine **out);

#endif

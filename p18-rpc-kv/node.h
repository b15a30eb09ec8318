#ifndef UNIXIPC_P18_RPC_KV_NODE_H
#define UNIXIPC_P18_RPC_KV_NODE_H
#include "p18-rpc-kv/kv.h"
struct node;
int node_vote(struct node *node, const kv_vote_args *args, kv_vote_result *result);
int node_append(struct node *node, const kv_append_args *args, kv_append_result *result);
int node_snapshot(struct node *node, const kv_snapshot_args *args, kv_snapshot_result *result);
#endif

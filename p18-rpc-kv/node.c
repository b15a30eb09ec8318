#include "p18-rpc-kv/node.h"
int node_vote(struct node *node, const kv_vote_args *args, kv_vote_result *result)
{ (void)node; (void)args; (void)result; return -38; }
int node_append(struct node *node, const kv_append_args *args, kv_append_result *result)
{ (void)node; (void)args; (void)result; return -38; }
int node_snapshot(struct node *node, const kv_snapshot_args *args, kv_snapshot_result *result)
{ (void)node; (void)args; (void)result; return -38; }

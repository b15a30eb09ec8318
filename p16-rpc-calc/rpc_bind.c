#include "p16-rpc-calc/rpc_bind.h"
#include <errno.h>
int rpc_bind_set(const struct rpc_bind_service *service, int64_t deadline)
{
	(void)service, (void)deadline;
	return -ENOSYS;
}
int rpc_bind_unset(const struct rpc_bind_service *service, int64_t deadline)
{
	(void)service, (void)deadline;
	return -ENOSYS;
}
enum rpc_fault_kind rpc_bind_lookup(const char *host, uint16_t rpcbind_port,
				    uint32_t program, uint32_t version,
				    const char *netid, int64_t deadline,
				    uint16_t *port, struct rpc_fault *fault)
{
	(void)host, (void)rpcbind_port, (void)program, (void)version,
		(void)netid, (void)deadline, (void)port;
	fault->kind = RPC_FAULT_NO_RPCBIND;
	return fault->kind;
}

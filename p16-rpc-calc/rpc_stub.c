/* rpc_stub.c - nothing works yet. */
#include <errno.h>

#include "p16-rpc-calc/rpc_bind.h"
#include "p16-rpc-calc/rpc_client.h"
#include "p16-rpc-calc/rpc_replies.h"
#include "p16-rpc-calc/rpc_server.h"

const struct rpc_auth_flavor rpc_auth_none = {.number = AUTH_NONE};
const struct rpc_auth_flavor rpc_auth_sys = {.number = AUTH_SYS};
int rpc_auth_parse_sys(const struct rpc_opaque *cred, struct rpc_identity *who)
{
	(void)cred, (void)who;
	return -ENOSYS;
}
const char *rpc_auth_flavor_name(uint32_t flavor)
{
	(void)flavor;
	return "flavor";
}
const char *rpc_auth_transport_name(enum rpc_transport transport)
{
	(void)transport;
	return "tcp";
}
int rpc_server_open(struct rpc_server **server,
		    const struct rpc_server_options *options)
{
	(void)options;
	*server = NULL;
	return -ENOSYS;
}
uint16_t rpc_server_port(const struct rpc_server *server,
			 enum rpc_transport transport)
{
	(void)server, (void)transport;
	return 0;
}
void rpc_server_service(const struct rpc_server *server,
			struct rpc_bind_service *service)
{
	(void)server, (void)service;
}
int rpc_server_run(struct rpc_server *server, int stop_fd)
{
	(void)server, (void)stop_fd;
	return -ENOSYS;
}
void rpc_server_count(struct rpc_server *server,
		      struct rpc_server_counts *counts)
{
	(void)server, (void)counts;
}
void rpc_server_close(struct rpc_server *server)
{
	(void)server;
}
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
const char *rpc_fault_text(const struct rpc_fault *fault, char *buf,
			   size_t size)
{
	(void)fault;
	if (size)
		*buf = '\0';
	return buf;
}
int rpc_fault_status(const struct rpc_fault *fault)
{
	(void)fault;
	return 1;
}
bool rpc_fault_is_unknown(const struct rpc_fault *fault)
{
	(void)fault;
	return true;
}
const char *rpc_fault_auth_text(enum auth_stat why)
{
	(void)why;
	return "";
}
enum rpc_fault_kind rpc_client_open(struct rpc_client **client,
				    const struct rpc_client_options *options,
				    struct rpc_fault *fault)
{
	(void)options;
	*client = NULL;
	*fault = (struct rpc_fault){.kind = RPC_FAULT_LOCAL, .error = ENOSYS};
	return RPC_FAULT_LOCAL;
}
enum rpc_fault_kind rpc_client_call(struct rpc_client *client,
				    uint32_t procedure, xdrproc_t xdr_args,
				    const void *args, xdrproc_t xdr_result,
				    void *result, struct rpc_fault *fault)
{
	(void)client, (void)procedure, (void)xdr_args, (void)args;
	(void)xdr_result, (void)result;
	*fault = (struct rpc_fault){.kind = RPC_FAULT_LOCAL, .error = ENOSYS};
	return RPC_FAULT_LOCAL;
}
void rpc_client_set_version(struct rpc_client *client, uint32_t version)
{
	(void)client, (void)version;
}
void rpc_client_set_timeout(struct rpc_client *client, int64_t timeout_ns)
{
	(void)client, (void)timeout_ns;
}
void rpc_client_set_repeat(struct rpc_client *client, bool may_repeat)
{
	(void)client, (void)may_repeat;
}
void rpc_client_set_auth(struct rpc_client *client, AUTH *auth)
{
	(void)client, (void)auth;
}
CLIENT *rpc_client_handle(struct rpc_client *client)
{
	(void)client;
	return NULL;
}
const struct rpc_fault *rpc_client_fault(const struct rpc_client *client)
{
	(void)client;
	return NULL;
}
uint16_t rpc_client_port(const struct rpc_client *client)
{
	(void)client;
	return 0;
}
void rpc_client_close(struct rpc_client *client)
{
	(void)client;
}

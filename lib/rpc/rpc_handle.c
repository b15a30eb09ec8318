/* rpc_handle.c - the six operations of a CLIENT. */
#include "lib/rpc/rpc_handle.h"

#include <string.h>
#include <sys/time.h>

#include "lib/tick.h"

static enum clnt_stat handle_call(CLIENT *handle, rpcproc_t procedure,
				  xdrproc_t xdr_args, void *args,
				  xdrproc_t xdr_result, void *result,
				  struct timeval timeout)
{
	struct rpc_fault fault;

	(void)timeout;
	if (rpc_client_call(handle->cl_private, procedure, xdr_args, args,
			    xdr_result, result, &fault))
		return rpc_fault_clnt_stat(&fault);
	return RPC_SUCCESS;
}

static void handle_abort(CLIENT *handle)
{
	(void)handle;
}

static void handle_geterr(CLIENT *handle, struct rpc_err *error)
{
	const struct rpc_fault *fault = rpc_client_fault(handle->cl_private);

	memset(error, 0, sizeof(*error));
	error->re_status = rpc_fault_clnt_stat(fault);
	switch (fault->kind) {
	case RPC_FAULT_AUTH:
		error->re_why = fault->why;
		break;
	case RPC_FAULT_VERSION:
		error->re_vers.low = fault->low;
		error->re_vers.high = fault->high;
		break;
	default:
		error->re_errno = fault->error;
	}
}

static bool_t handle_freeres(CLIENT *handle, xdrproc_t xdr_result, void *result)
{
	(void)handle;
	xdr_free(xdr_result, result);
	return TRUE;
}

static void handle_destroy(CLIENT *handle)
{
	(void)handle;
}

static bool_t handle_control(CLIENT *handle, u_int request, void *info)
{
	struct rpc_client *client = handle->cl_private;
	const struct timeval *tv = info;

	switch (request) {
	case CLSET_TIMEOUT:
		rpc_client_set_timeout(
			client, tv->tv_sec * TICK_S + tv->tv_usec * TICK_US);
		return TRUE;
	case CLSET_VERS:
		rpc_client_set_version(client, *(const uint32_t *)info);
		return TRUE;
	case CLSET_XID:
		rpc_client_set_xid(client, *(const uint32_t *)info);
		return TRUE;
	case CLGET_FD:
		*(int *)info = rpc_client_fd(client);
		return *(int *)info >= 0;
	default:
		return FALSE;
	}
}

void rpc_handle_init(CLIENT *handle, struct rpc_client *client)
{
	/* The type wants it writable; nobody writes. */
	static struct clnt_ops operations = {
		.cl_call = handle_call,
		.cl_abort = handle_abort,
		.cl_geterr = handle_geterr,
		.cl_freeres = handle_freeres,
		.cl_destroy = handle_destroy,
		.cl_control = handle_control,
	};

	memset(handle, 0, sizeof(*handle));
	handle->cl_ops = &operations;
	handle->cl_private = client;
}

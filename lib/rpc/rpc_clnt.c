/* rpc_clnt.c - the six operations of a CLIENT, which call ours; and the seven
 * of an AUTH, which are called by ours. */
#include "lib/rpc/rpc_clnt.h"

#include <errno.h>
#include <string.h>
#include <sys/time.h>

#include "lib/tick.h"

/* ---- CLIENT ---- */

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
	case RPC_FAULT_VERIFIER:
		error->re_why = AUTH_INVALIDRESP;
		break;
	case RPC_FAULT_VERSION:
	case RPC_FAULT_RPC_VERSION:
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

void rpc_clnt_init(CLIENT *handle, struct rpc_client *client)
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

/* ---- AUTH ---- */

static ssize_t seal(void *state, uint64_t *token, uint8_t *message, size_t n,
		    size_t room)
{
	AUTH *auth = state;
	XDR xdrs;

	(void)token;
	xdrmem_create(&xdrs, (char *)message + n, (u_int)(room - n),
		      XDR_ENCODE);
	if (!AUTH_MARSHALL(auth, &xdrs))
		return -EMSGSIZE;
	return (ssize_t)(n + xdr_getpos(&xdrs));
}

static bool wrap(void *state, uint64_t token, XDR *xdrs, xdrproc_t xdr_args,
		 void *args)
{
	AUTH *auth = state;

	(void)token;
	return AUTH_WRAP(auth, xdrs, xdr_args, args);
}

static bool validate(void *state, uint64_t token, const struct rpc_opaque *verf)
{
	AUTH *auth = state;
	struct opaque_auth raw = {
		.oa_flavor = (enum_t)verf->flavor,
		.oa_base = (char *)(uintptr_t)verf->body,
		.oa_length = verf->bytes,
	};

	(void)token;
	return AUTH_VALIDATE(auth, &raw);
}

static bool unwrap(void *state, uint64_t token, XDR *xdrs, xdrproc_t xdr_result,
		   void *result)
{
	AUTH *auth = state;

	(void)token;
	return AUTH_UNWRAP(auth, xdrs, xdr_result, result);
}

/* libtirpc's flavors want the message for that. */
static bool refresh(void *state, uint64_t token, enum auth_stat why)
{
	struct rpc_msg message = {.rm_direction = REPLY};
	AUTH *auth = state;

	(void)token;
	message.rm_reply.rp_stat = MSG_DENIED;
	message.rjcted_rply.rj_stat = AUTH_ERROR;
	message.rjcted_rply.rj_why = why;
	return AUTH_REFRESH(auth, &message);
}

static void destroy(void *state)
{
	AUTH *auth = state;

	auth_destroy(auth);
}

struct rpc_auth_client rpc_clnt_flavor(AUTH *auth)
{
	return (struct rpc_auth_client){
		.number = (uint32_t)auth->ah_cred.oa_flavor,
		.name = rpc_auth_flavor_name((uint32_t)auth->ah_cred.oa_flavor),
		.seal = seal,
		.wrap = wrap,
		.validate = validate,
		.unwrap = unwrap,
		.refresh = refresh,
		.destroy = destroy,
		.state = auth,
	};
}

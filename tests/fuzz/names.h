/* names.h - arguments and results for fuzz targets: something of every kind that
 * XDR allocates memory for. */
#ifndef UNIXIPC_TESTS_FUZZ_NAMES_H
#define UNIXIPC_TESTS_FUZZ_NAMES_H

#include <rpc/rpc.h>

enum { NAMES_MAX = 8, NAME_BYTES = 64, RECORD_MAX = 4096 };

struct names {
	u_int n;
	char **names;
	u_int n_bytes;
	char *bytes;
};

static inline bool_t xdr_name(XDR *xdrs, char **name)
{
	return xdr_string(xdrs, name, NAME_BYTES);
}

static inline bool_t xdr_names(XDR *xdrs, struct names *names)
{
	return xdr_array(xdrs, (char **)&names->names, &names->n, NAMES_MAX,
			 sizeof(char *), (xdrproc_t)xdr_name) &&
	       xdr_bytes(xdrs, &names->bytes, &names->n_bytes, RECORD_MAX);
}

#endif

/* rpc_budget.c - a count. It orders nothing: the bytes that it counts are
 * whoever's has taken them. */
#include "lib/rpc/rpc_budget.h"

bool rpc_budget_take(struct rpc_budget *budget, size_t bytes)
{
	size_t used;

	if (!budget || bytes == 0)
		return true;
	used = __atomic_load_n(&budget->used, __ATOMIC_RELAXED);
	do {
		if (used > budget->bytes || bytes > budget->bytes - used)
			return false;
	} while (!__atomic_compare_exchange_n(
		&budget->used, &used, used + bytes, true, __ATOMIC_RELAXED,
		__ATOMIC_RELAXED));
	return true;
}

void rpc_budget_owe(struct rpc_budget *budget, size_t bytes)
{
	if (budget)
		__atomic_fetch_add(&budget->used, bytes, __ATOMIC_RELAXED);
}

void rpc_budget_give(struct rpc_budget *budget, size_t bytes)
{
	if (budget && bytes)
		__atomic_fetch_sub(&budget->used, bytes, __ATOMIC_RELAXED);
}

size_t rpc_budget_used(const struct rpc_budget *budget)
{
	return __atomic_load_n(&budget->used, __ATOMIC_RELAXED);
}

/* oracle.h - another implementation's answer to the same request. */
#ifndef SLUICE_TESTS_CONTRACT_ORACLE_H
#define SLUICE_TESTS_CONTRACT_ORACLE_H

#include <stdbool.h>
#include <sluice/op.h>

/* NULL when there is an oracle to ask, else what is missing. */
const char *oracle_missing(void);

/* Carries out op's request with the oracle's own calls, and waits: res. */
int64_t oracle_do(const struct sl_op *op);

void oracle_end(void);

#endif

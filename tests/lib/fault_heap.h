/* The n-th allocation of our own code fails: link with -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc. Libraries have
 * their memory as usual, but for SQLite after fault_heap_sqlite. */
#ifndef TESTS_LIB_FAULT_HEAP_H
#define TESTS_LIB_FAULT_HEAP_H

#include <stdint.h>

/* The n-th allocation from now on fails, counted from 1, and it alone; 0: none. */
void fault_heap_arm(int64_t n);
/* Whether it came; no more faults. */
int fault_heap_disarm(void);
/* From now on SQLite's allocations count with ours; before anything uses SQLite. */
void fault_heap_sqlite(void);

#endif

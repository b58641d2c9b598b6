#include <config.h>

#include "fault_heap.h"

#include <sqlite3.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>

static _Atomic int64_t n_until;
static _Atomic int hit;

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *at, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *at, size_t size);

void fault_heap_arm(int64_t n)
{
    atomic_store(&hit, 0);
    atomic_store(&n_until, n);
}

int fault_heap_disarm(void)
{
    atomic_store(&n_until, 0);
    return atomic_load(&hit);
}

static int fails(void)
{
    if (atomic_load(&n_until) <= 0 || atomic_fetch_sub(&n_until, 1) != 1)
        return 0;
    atomic_store(&hit, 1);
    return 1;
}

void *__wrap_malloc(size_t size)
{
    return fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t n, size_t size)
{
    return fails() ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *at, size_t size)
{
    return fails() ? NULL : __real_realloc(at, size);
}

/* ---- SQLite's ---- */

static sqlite3_mem_methods real_methods;

static void *sqlite_malloc(int size)
{
    return fails() ? NULL : real_methods.xMalloc(size);
}

static void *sqlite_realloc(void *at, int size)
{
    return fails() ? NULL : real_methods.xRealloc(at, size);
}

void fault_heap_sqlite(void)
{
    if (sqlite3_config(SQLITE_CONFIG_GETMALLOC, &real_methods) != SQLITE_OK)
        abort();
    sqlite3_mem_methods methods = real_methods;
    methods.xMalloc = sqlite_malloc;
    methods.xRealloc = sqlite_realloc;
    if (sqlite3_config(SQLITE_CONFIG_MALLOC, &methods) != SQLITE_OK)
        abort();
}

/* Where a test may end the process, as a power cut would (tests/unit/test_erase.c). */
#ifndef VAULT_STEP_H
#define VAULT_STEP_H

extern void (*step_hook)(const char *name); /* NULL but in tests */

/* Told before each step of erasing, of rotating and of changing the unlocking key that lasts. */
static inline void step(const char *name)
{
    if (step_hook)
        step_hook(name);
}

#endif

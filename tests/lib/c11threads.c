/* ThreadSanitizer of gcc 12 does not know C11 threads, which librdkafka uses: callbacks in such threads crash, and their
 * locks are not seen. Preloaded by contrib/check.sh, these turn them into POSIX threads. glibc's types are the same. */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <threads.h>

static int result_of(int error)
{
    return error == 0 ? thrd_success : thrd_error;
}

int thrd_create(thrd_t *thread, thrd_start_t start, void *arg)
{
    return result_of(pthread_create(thread, NULL, (void *(*)(void *))(void (*)(void))start, arg));
}

int thrd_join(thrd_t thread, int *ret_value)
{
    void *value;
    int error = pthread_join(thread, &value);
    if (error == 0 && ret_value)
        *ret_value = (int)(intptr_t)value;
    return result_of(error);
}

int mtx_lock(mtx_t *mutex)
{
    return result_of(pthread_mutex_lock((pthread_mutex_t *)mutex));
}

int mtx_unlock(mtx_t *mutex)
{
    return result_of(pthread_mutex_unlock((pthread_mutex_t *)mutex));
}

int cnd_signal(cnd_t *condition)
{
    return result_of(pthread_cond_signal((pthread_cond_t *)condition));
}

int cnd_broadcast(cnd_t *condition)
{
    return result_of(pthread_cond_broadcast((pthread_cond_t *)condition));
}

int cnd_wait(cnd_t *condition, mtx_t *mutex)
{
    return result_of(pthread_cond_wait((pthread_cond_t *)condition, (pthread_mutex_t *)mutex));
}

int cnd_timedwait(cnd_t *restrict condition, mtx_t *restrict mutex, const struct timespec *restrict until)
{
    int error = pthread_cond_timedwait((pthread_cond_t *)condition, (pthread_mutex_t *)mutex, until);
    return error == ETIMEDOUT ? thrd_timedout : result_of(error);
}

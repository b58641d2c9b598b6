#include <config.h>

#include "ingest/transaction.h"

#include <stdint.h>

#include "common/clock.h"

#define PATIENCE_US 20000000 /* before it is given up */
#define STOPPING_US 3000000  /* ... when we are asked to stop */
#define OFFSETS_MS 1000      /* longest wait for the group's offsets */

static bool may_try(const rd_kafka_error_t *error, int64_t begin_us, const atomic_bool *stop)
{
    int64_t spent_us = clock_mono_us() - begin_us;
    return error && rd_kafka_error_is_retriable(error) && spent_us < (atomic_load(stop) ? STOPPING_US : PATIENCE_US);
}

rd_kafka_error_t *transaction_send_offsets(rd_kafka_t *producer, rd_kafka_t *consumer,
                                           const rd_kafka_topic_partition_list_t *offsets, const atomic_bool *stop)
{
    rd_kafka_consumer_group_metadata_t *group = rd_kafka_consumer_group_metadata(consumer);
    int64_t begin_us = clock_mono_us();
    rd_kafka_error_t *error;
    while (may_try(error = rd_kafka_send_offsets_to_transaction(producer, offsets, group, TRANSACTION_SLICE_MS),
                   begin_us, stop))
        rd_kafka_error_destroy(error);
    rd_kafka_consumer_group_metadata_destroy(group);
    return error;
}

rd_kafka_error_t *transaction_commit(rd_kafka_t *producer, const atomic_bool *stop)
{
    int64_t begin_us = clock_mono_us();
    rd_kafka_error_t *error;
    while (may_try(error = rd_kafka_commit_transaction(producer, TRANSACTION_SLICE_MS), begin_us, stop))
        rd_kafka_error_destroy(error);
    return error;
}

rd_kafka_error_t *transaction_abort(rd_kafka_t *producer, const atomic_bool *stop)
{
    int64_t begin_us = clock_mono_us();
    rd_kafka_error_t *error;
    while (may_try(error = rd_kafka_abort_transaction(producer, TRANSACTION_SLICE_MS), begin_us, stop))
        rd_kafka_error_destroy(error);
    return error;
}

int transaction_ask_offsets(rd_kafka_t *consumer, rd_kafka_topic_partition_list_t *offsets)
{
    rd_kafka_resp_err_t err = rd_kafka_committed(consumer, offsets, OFFSETS_MS);
    if (err == RD_KAFKA_RESP_ERR__TIMED_OUT)
        return 1;
    for (int i = 0; i < offsets->cnt && !err; i++)
        if (offsets->elems[i].err == RD_KAFKA_RESP_ERR_UNSTABLE_OFFSET_COMMIT)
            return 1;
    return err ? ERR_IO : 0;
}

/* Until when the partitions are surely ours (I4).
 *
 * The group gives a partition to another member when it has heard nothing of us for the session timeout T. A process that was
 * stopped, or a machine that slept, does not notice that by itself: it goes on with what it has in hand. So we hold a lease,
 * which runs T from the moment when the last sign of life was sent of which we know that the group has taken it. It begins
 * with an assignment and is renewed by heartbeats; a heartbeat counts once it was answered and the next one is sent, since
 * librdkafka sends none after an answer that says we are out. A lease that has run out is never renewed: the group has to
 * assign anew. The clock counts the time of a stop and of a sleeping machine. */
#ifndef INGEST_LEASE_H
#define INGEST_LEASE_H

#include <librdkafka/rdkafka.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct lease {
    int64_t length_us;            /* the session timeout */
    _Atomic int64_t confirmed_us; /* when the last confirmed sign of life was sent (clock_boot_us) */
    /* written by the thread of librdkafka that talks to the group's coordinator */
    _Atomic int64_t joined_us;    /* the assignment was asked for just after this */
    int64_t beat_us, answered_us; /* the last heartbeat that was sent, and that was answered */
};

/* Notes what the client that is made of conf says to its group; lease must live as long as the client. */
void lease_watch(struct lease *lease, rd_kafka_conf_t *conf);
/* The assignment has come. */
void lease_begin(struct lease *lease);
/* Whether the partitions are surely still ours; from any thread. */
bool lease_holds(const struct lease *lease);

#endif

noinst_LIBRARIES += %D%/libingest.a
%C%_libingest_a_CPPFLAGS = $(AM_CPPFLAGS) $(RDKAFKA_CFLAGS) $(JANSSON_CFLAGS)
%C%_libingest_a_SOURCES = \
	%D%/adapter.c %D%/adapter.h %D%/adapter_parts.c %D%/adapter_parts.h %D%/adapter_work.c %D%/adapter_work.h \
	%D%/conf.c %D%/conf.h \
	%D%/consumer.c %D%/consumer.h \
	%D%/deadletter.c %D%/deadletter.h \
	%D%/documents.c %D%/documents.h \
	%D%/embedded.c %D%/embedded.h \
	%D%/ends.c %D%/ends.h \
	%D%/feed.c %D%/feed.h \
	%D%/group.c %D%/group.h \
	%D%/kept.c %D%/kept.h \
	%D%/lease.c %D%/lease.h \
	%D%/members.c %D%/members.h \
	%D%/place.c %D%/place.h \
	%D%/producer.c %D%/producer.h \
	%D%/publisher.c %D%/publisher.h \
	%D%/reason.c %D%/reason.h \
	%D%/replay.c %D%/replay.h \
	%D%/topics.c %D%/topics.h \
	%D%/transaction.c %D%/transaction.h \
	%D%/unread.c %D%/unread.h

EXTRA_DIST += tests/kafka/broker.sh tests/kafka/pom.xml

if CMOCKA
check_PROGRAMS += tests/unit/test_place tests/unit/test_consumer tests/unit/test_denied tests/kafka/test_kafka
tests_unit_test_place_SOURCES = tests/unit/test_place.c
tests_unit_test_place_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)
tests_unit_test_place_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_place_LDADD = src/ingest/libingest.a src/common/libcommon.a $(CMOCKA_LIBS) $(RDKAFKA_LIBS) $(SODIUM_LIBS)

ingest_rig = tests/kafka/memory_sink.c tests/kafka/memory_sink.h tests/kafka/rig.c tests/kafka/rig.h tests/lib/parallel.h
ingest_rig_cppflags = $(AM_CPPFLAGS) -I$(top_srcdir) $(RDKAFKA_CFLAGS)
ingest_rig_libs = src/ingest/libingest.a src/model/libmodel.a src/common/libcommon.a \
	$(RDKAFKA_LIBS) $(CMOCKA_LIBS) $(SODIUM_LIBS)
tests_unit_test_consumer_SOURCES = tests/unit/test_consumer.c $(ingest_rig)
tests_unit_test_consumer_CPPFLAGS = $(ingest_rig_cppflags)
tests_unit_test_consumer_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_consumer_LDADD = $(ingest_rig_libs)
tests_unit_test_denied_SOURCES = tests/unit/test_denied.c $(ingest_rig)
tests_unit_test_denied_CPPFLAGS = $(ingest_rig_cppflags)
tests_unit_test_denied_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_denied_LDADD = $(ingest_rig_libs)
# against a real Apache Kafka; says so and passes when there is none
tests_kafka_test_kafka_SOURCES = tests/kafka/test_kafka.c $(ingest_rig)
tests_kafka_test_kafka_CPPFLAGS = $(ingest_rig_cppflags)
tests_kafka_test_kafka_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_kafka_test_kafka_LDADD = $(ingest_rig_libs)
endif

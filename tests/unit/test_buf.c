#include <config.h>

#include "common/buf.h"

#include "../lib/test.h"

static void empty_buffer_takes_bytes_text_and_formats(void **state)
{
    (void)state;
    struct buf buf = {0};
    buf_puts(&buf, "ab");
    buf_putc(&buf, 'c');
    buf_put(&buf, "\0d", 2);
    buf_printf(&buf, "%s=%d", "n", -7);
    assert_false(buf.failed);
    assert_int_equal(buf.n, 9);
    assert_memory_equal(buf.data, "abc\0dn=-7", 9);
    buf_free(&buf);
}

static void growth_keeps_what_is_there(void **state)
{
    (void)state;
    struct buf buf = {0};
    for (uint32_t i = 0; i < 100000; i++)
        buf_put_u32(&buf, i);
    assert_false(buf.failed);
    assert_int_equal(buf.n, 400000);
    struct reader r = {buf.data, buf.data + buf.n, false};
    for (uint32_t i = 0; i < 100000; i++)
        assert_int_equal(reader_u32(&r), i);
    assert_false(r.failed);
    assert_ptr_equal(r.at, r.end);
    buf_free(&buf);
}

static void format_longer_than_the_buffer_is_written_whole(void **state)
{
    (void)state;
    struct buf buf = {0};
    buf_printf(&buf, "%1000d|", 5);
    assert_int_equal(buf.n, 1001);
    assert_int_equal(buf.data[999], '5');
    assert_int_equal(buf.data[1000], '|');
    buf_free(&buf);
}

static void cleared_buffer_keeps_its_memory_and_freed_one_is_usable(void **state)
{
    (void)state;
    struct buf buf = {0};
    buf_puts(&buf, "some text");
    size_t cap = buf.cap;
    buf_clear(&buf);
    assert_int_equal(buf.n, 0);
    assert_int_equal(buf.cap, cap);
    buf_free(&buf);
    assert_null(buf.data);
    buf_puts(&buf, "again");
    assert_memory_equal(buf.data, "again", 5);
    buf_free(&buf);
    buf_free(NULL);
}

static void refused_memory_sticks_until_cleared(void **state)
{
    (void)state;
    struct buf buf = {0};
    buf_puts(&buf, "x");
    assert_null(buf_reserve(&buf, SIZE_MAX)); /* overflows */
    assert_true(buf.failed);
    buf_puts(&buf, "lost");
    buf_put_varint(&buf, 1);
    buf_printf(&buf, "%d", 1);
    assert_int_equal(buf.n, 1);
    buf_clear(&buf);
    assert_false(buf.failed);
    assert_null(buf_reserve(&buf, SIZE_MAX - 8)); /* more than can be doubled to */
    assert_true(buf.failed);
    buf_free(&buf);
}

static void integers_are_little_endian(void **state)
{
    (void)state;
    struct buf buf = {0};
    buf_put_u16(&buf, 0x0102);
    buf_put_u32(&buf, 0x03040506);
    buf_put_u64(&buf, UINT64_C(0x0708090a0b0c0d0e));
    static const uint8_t expected[] = {2, 1, 6, 5, 4, 3, 0x0e, 0x0d, 0x0c, 0x0b, 0x0a, 9, 8, 7};
    assert_int_equal(buf.n, sizeof(expected));
    assert_memory_equal(buf.data, expected, sizeof(expected));
    struct reader r = {buf.data, buf.data + buf.n, false};
    assert_int_equal(reader_u16(&r), 0x0102);
    assert_int_equal(reader_u32(&r), 0x03040506);
    assert_true(reader_u64(&r) == UINT64_C(0x0708090a0b0c0d0e));
    assert_false(r.failed);
    buf_free(&buf);
}

static void varints_come_back_at_every_length(void **state)
{
    (void)state;
    for (unsigned bits = 0; bits <= 64; bits++) {
        uint64_t edge = bits == 64 ? UINT64_MAX : (UINT64_C(1) << bits) - 1;
        for (uint64_t v = edge - 1; v - (edge - 1) < 3; v++) {
            struct buf buf = {0};
            buf_put_varint(&buf, v);
            buf_put_svarint(&buf, (int64_t)v);
            struct reader r = {buf.data, buf.data + buf.n, false};
            assert_true(reader_varint(&r) == v);
            assert_true(reader_svarint(&r) == (int64_t)v);
            assert_false(r.failed);
            assert_ptr_equal(r.at, r.end);
            buf_free(&buf);
        }
    }
}

static void small_magnitudes_are_one_byte(void **state)
{
    (void)state;
    struct buf buf = {0};
    for (int v = -64; v <= 63; v++)
        buf_put_svarint(&buf, v);
    assert_int_equal(buf.n, 128);
    buf_clear(&buf);
    buf_put_varint(&buf, 300); /* the example of protobuf's documents */
    assert_int_equal(buf.n, 2);
    assert_memory_equal(buf.data, "\xac\x02", 2);
    buf_free(&buf);
}

static void varint_over_64_bits_or_cut_off_fails(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t n;
    } bad[] = {
        {"", 0},
        {"\x80", 1},
        {"\xff\xff\xff", 3},
        {"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", 10},
        {"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x81\x00", 11},
        {"\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01", 11},
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        struct reader r = {(const uint8_t *)bad[i].bytes, (const uint8_t *)bad[i].bytes + bad[i].n,
                           false};
        assert_true(reader_varint(&r) == 0);
        assert_true(r.failed);
    }
}

static void read_past_the_end_fails_and_stays_failed(void **state)
{
    (void)state;
    static const uint8_t bytes[] = {1, 2, 3};
    struct reader r = {bytes, bytes + sizeof(bytes), false};
    assert_int_equal(reader_u16(&r), 0x0201);
    assert_null(reader_bytes(&r, SIZE_MAX));
    assert_true(r.failed);
    assert_int_equal(reader_u8(&r), 0); /* though one byte is left */
    assert_int_equal(reader_u32(&r), 0);
    assert_true(reader_u64(&r) == 0);
    assert_true(reader_svarint(&r) == 0);
    assert_null(reader_bytes(&r, 1));
    struct reader empty = {NULL, NULL, false};
    reader_bytes(&empty, 0);
    assert_false(empty.failed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(empty_buffer_takes_bytes_text_and_formats),
        cmocka_unit_test(growth_keeps_what_is_there),
        cmocka_unit_test(format_longer_than_the_buffer_is_written_whole),
        cmocka_unit_test(cleared_buffer_keeps_its_memory_and_freed_one_is_usable),
        cmocka_unit_test(refused_memory_sticks_until_cleared),
        cmocka_unit_test(integers_are_little_endian),
        cmocka_unit_test(varints_come_back_at_every_length),
        cmocka_unit_test(small_magnitudes_are_one_byte),
        cmocka_unit_test(varint_over_64_bits_or_cut_off_fails),
        cmocka_unit_test(read_past_the_end_fails_and_stays_failed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

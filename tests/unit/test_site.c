#include <config.h>

#include "app/site.h"

#include <arpa/inet.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "app/tls.h"
#include "common/clock.h"
#include "common/files.h"
#include "common/hash.h"

#include "../lib/test.h"

static char folder[64];
static char paths[8][128]; /* texts of in() in turns */

static const char *in(const char *name)
{
    static size_t turn;
    char *path = paths[turn++ % 8];
    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

static int setup(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/almanac-site-XXXXXX");
    return mkdtemp(folder) && hash_init() == 0 ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    files_remove_tree(folder);
    return access(folder, F_OK) == 0 ? -1 : 0;
}

static gnutls_x509_crt_t read_certificate(const char *path)
{
    gnutls_datum_t pem;
    gnutls_x509_crt_t crt;
    assert_int_equal(gnutls_load_file(path, &pem), 0);
    assert_int_equal(gnutls_x509_crt_init(&crt), 0);
    assert_int_equal(gnutls_x509_crt_import(crt, &pem, GNUTLS_X509_FMT_PEM), 0);
    gnutls_free(pem.data);
    return crt;
}

static void certificate_is_trusted_for_its_names_and_no_others(void **state)
{
    (void)state;
    struct err_text error = {0};
    unsigned status = 0, critical;
    assert_int_equal(tls_create("[2001:db8::7]:8443", in("c.pem"), in("k.pem"), &error), 0);
    gnutls_x509_crt_t crt = read_certificate(in("c.pem"));
    assert_true(gnutls_x509_crt_check_hostname(crt, "localhost"));
    assert_true(gnutls_x509_crt_check_hostname(crt, "127.0.0.1"));
    assert_true(gnutls_x509_crt_check_hostname(crt, "::1"));
    assert_true(gnutls_x509_crt_check_hostname(crt, "2001:db8::7"));
    assert_false(gnutls_x509_crt_check_hostname(crt, "example.org"));
    assert_int_equal(gnutls_x509_crt_list_verify(&crt, 1, &crt, 1, NULL, 0, 0, &status), 0);
    assert_int_equal(status, 0);
    assert_int_equal(gnutls_x509_crt_get_ca_status(crt, &critical), 0); /* it signs nobody else */
    time_t end = gnutls_x509_crt_get_expiration_time(crt);
    assert_true(end > clock_wall_us() / 1000000 + 9 * 365 * INT64_C(86400));
    gnutls_x509_crt_deinit(crt);
    /* The key is the certificate's, and nobody else may read it. */
    gnutls_certificate_credentials_t both;
    assert_int_equal(gnutls_certificate_allocate_credentials(&both), 0);
    assert_int_equal(
        gnutls_certificate_set_x509_key_file(both, in("c.pem"), in("k.pem"), GNUTLS_X509_FMT_PEM),
        0);
    gnutls_certificate_free_credentials(both);
    struct stat info;
    assert_int_equal(stat(in("k.pem"), &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
}

static void certificate_does_not_replace_one(void **state)
{
    (void)state;
    struct err_text error = {0};
    assert_int_equal(site_write_file(in("c.pem"), 0644, "mine", 4, &error), 0);
    assert_int_equal(tls_create("a:1", in("c.pem"), in("k.pem"), &error), ERR_EXISTS);
    assert_non_null(strstr(error.text, "c.pem"));
    assert_int_not_equal(access(in("k.pem"), F_OK), 0);
}

static void new_directory_has_settings_and_a_working_token(void **state)
{
    (void)state;
    static const char *const settings[] = {"http.listen=127.0.0.1:7", "kafka.group.id=g"};
    struct err_text error = {0};
    struct conf *conf = NULL;
    struct access *tokens = NULL;
    struct principal who;
    char token[TOKEN_TEXT_MAX];
    if (site_create(in("new"), settings, 2, token, &error) != 0)
        fail_msg("%s", error.text);
    assert_int_equal(conf_load(in("new/almanac.conf"), NULL, 0, &conf, &error), 0);
    assert_string_equal(conf->listen, "127.0.0.1:7");
    assert_string_equal(conf_kafka(conf, "group.id"), "g");
    assert_string_equal(conf->data, in("new"));
    assert_int_equal(access(conf->certificate, R_OK), 0);
    assert_int_equal(access_open(conf->data, &tokens, &error), 0);
    assert_int_equal(access_check_token(tokens, token, strlen(token), &who), 0);
    assert_true(who.grants.scopes & SCOPE_ADMIN);
    token[10] = token[10] == 'A' ? 'B' : 'A';
    assert_int_equal(access_check_token(tokens, token, strlen(token), &who), ERR_DENIED);
    access_close(tokens);
    conf_free(conf);
    assert_int_equal(site_create(in("new"), NULL, 0, token, &error), ERR_EXISTS);
}

static void failed_making_leaves_nothing_behind(void **state)
{
    (void)state;
    static const char *const bad_value[] = {"store.window=x"},
                             *const bad_place[] = {"http.certificate=no/such/place.pem"};
    struct err_text error = {0};
    char token[TOKEN_TEXT_MAX];
    assert_int_equal(site_create(in("new"), bad_value, 1, token, &error), ERR_INVALID);
    assert_non_null(strstr(error.text, "--set store.window"));
    assert_int_not_equal(access(in("new"), F_OK), 0);
    assert_int_not_equal(site_create(in("new"), bad_place, 1, token, &error), 0);
    assert_int_not_equal(access(in("new"), F_OK), 0);
    /* A folder that was there stays, with what was in it. */
    assert_int_equal(mkdir(in("new"), 0755), 0);
    assert_int_equal(site_write_file(in("new/mine"), 0644, "x", 1, &error), 0);
    assert_int_not_equal(site_create(in("new"), bad_place, 1, token, &error), 0);
    assert_int_equal(access(in("new/mine"), F_OK), 0);
    assert_int_not_equal(access(in("new/almanac.conf"), F_OK), 0);
    assert_int_not_equal(access(in("new/catalog.db"), F_OK), 0);
}

static void directory_is_found_by_option_variable_folder_and_default(void **state)
{
    (void)state;
    char path[256], here[256];
    struct err_text error = {0};
    assert_non_null(getcwd(here, sizeof here));
    unsetenv("ALMANAC_DIR");
    assert_int_equal(chdir(folder), 0);
    assert_int_equal(site_conf_path(NULL, path, sizeof path, &error), 0);
    assert_string_equal(path, "/var/lib/almanac/almanac.conf");
    assert_int_equal(site_write_file("almanac.conf", 0644, "", 0, &error), 0);
    assert_int_equal(site_conf_path(NULL, path, sizeof path, &error), 0);
    assert_string_equal(path, "./almanac.conf");
    setenv("ALMANAC_DIR", "/a", 1);
    assert_int_equal(site_conf_path(NULL, path, sizeof path, &error), 0);
    assert_string_equal(path, "/a/almanac.conf");
    assert_int_equal(site_conf_path("/b", path, sizeof path, &error), 0);
    assert_string_equal(path, "/b/almanac.conf");
    assert_int_equal(chdir(here), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(certificate_is_trusted_for_its_names_and_no_others, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(certificate_does_not_replace_one, setup, teardown),
        cmocka_unit_test_setup_teardown(new_directory_has_settings_and_a_working_token, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(failed_making_leaves_nothing_behind, setup, teardown),
        cmocka_unit_test_setup_teardown(directory_is_found_by_option_variable_folder_and_default,
                                        setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

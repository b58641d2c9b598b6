/* The endpoints, one file each. */
#ifndef HTTP_HANDLERS_H
#define HTTP_HANDLERS_H

#include "http/route.h"

extern const struct shape entities_shape, entity_shape;
extern const struct shape optimization_taken_shape, optimization_outputs_shape;

extern const struct shape audit_entry_shape;
extern const struct shape subject_put_shape, subject_shape, subjects_shape, subject_export_shape, subject_done_shape,
    receipt_shape, audit_shape;

int h_series_list(struct request *request, struct reply *reply, struct err_text *error);
int h_series_one(struct request *request, struct reply *reply, struct err_text *error);
int h_live(struct request *request, struct reply *reply, struct err_text *error);
int h_last(struct request *request, struct reply *reply, struct err_text *error);
int h_range(struct request *request, struct reply *reply, struct err_text *error);
int h_gaps(struct request *request, struct reply *reply, struct err_text *error);
int h_changes(struct request *request, struct reply *reply, struct err_text *error);
int h_snapshots_list(struct request *request, struct reply *reply, struct err_text *error);
int h_snapshots_make(struct request *request, struct reply *reply, struct err_text *error);
int h_snapshots_drop(struct request *request, struct reply *reply, struct err_text *error);
int h_sql(struct request *request, struct reply *reply, struct err_text *error);
int h_exports_list(struct request *request, struct reply *reply, struct err_text *error);
int h_exports_make(struct request *request, struct reply *reply, struct err_text *error);
int h_exports_one(struct request *request, struct reply *reply, struct err_text *error);
int h_exports_drop(struct request *request, struct reply *reply, struct err_text *error);
int h_exports_file(struct request *request, struct reply *reply, struct err_text *error);
int h_prometheus_range(struct request *request, struct reply *reply, struct err_text *error);
int h_prometheus_query(struct request *request, struct reply *reply, struct err_text *error);
int h_prometheus_series(struct request *request, struct reply *reply, struct err_text *error);
int h_prometheus_labels(struct request *request, struct reply *reply, struct err_text *error);
int h_prometheus_values(struct request *request, struct reply *reply, struct err_text *error);
int h_prometheus_metadata(struct request *request, struct reply *reply, struct err_text *error);
int h_prometheus_buildinfo(struct request *request, struct reply *reply, struct err_text *error);
int h_entities_list(struct request *request, struct reply *reply, struct err_text *error);
int h_entities_one(struct request *request, struct reply *reply, struct err_text *error);
int h_pilot_customers(struct request *request, struct reply *reply, struct err_text *error);
int h_pilot_locations(struct request *request, struct reply *reply, struct err_text *error);
int h_pilot_boards(struct request *request, struct reply *reply, struct err_text *error);
int h_pilot_location_sensors(struct request *request, struct reply *reply, struct err_text *error);
int h_pilot_board_sensors(struct request *request, struct reply *reply, struct err_text *error);
int h_pilot_board_rates(struct request *request, struct reply *reply, struct err_text *error);
int h_pilot_heating_rates(struct request *request, struct reply *reply, struct err_text *error);
int h_pilot_static(struct request *request, struct reply *reply, struct err_text *error);
int h_pilot_dynamic(struct request *request, struct reply *reply, struct err_text *error);
int h_optimization_take(struct request *request, struct reply *reply, struct err_text *error);
int h_optimization_list(struct request *request, struct reply *reply, struct err_text *error);
int h_subject_put(struct request *request, struct reply *reply, struct err_text *error);
int h_subject_get(struct request *request, struct reply *reply, struct err_text *error);
int h_subject_erase(struct request *request, struct reply *reply, struct err_text *error);
int h_subjects_search(struct request *request, struct reply *reply, struct err_text *error);
int h_subject_export(struct request *request, struct reply *reply, struct err_text *error);
int h_subject_restrict(struct request *request, struct reply *reply, struct err_text *error);
int h_subject_consents(struct request *request, struct reply *reply, struct err_text *error);
int h_audit(struct request *request, struct reply *reply, struct err_text *error);
int h_docs(struct request *request, struct reply *reply, struct err_text *error);
int h_docs_file(struct request *request, struct reply *reply, struct err_text *error);
int h_page(struct request *request, struct reply *reply, struct err_text *error);
int h_openapi(struct request *request, struct reply *reply, struct err_text *error);
int h_healthz(struct request *request, struct reply *reply, struct err_text *error);
int h_readyz(struct request *request, struct reply *reply, struct err_text *error);
int h_metrics(struct request *request, struct reply *reply, struct err_text *error);

#endif

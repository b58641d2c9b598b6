noinst_LIBRARIES += %D%/libingest.a
%C%_libingest_a_SOURCES =

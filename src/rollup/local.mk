noinst_LIBRARIES += %D%/librollup.a
%C%_librollup_a_SOURCES =

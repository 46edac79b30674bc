//! What is said.

use super::Language;
use super::said::{Plural, Template, Text, messages};

messages! {
    text {
        dashboard busy queues scheduled retries dead errors cron metrics search skip pages read_only find_label live paused
        pause_or_go_on store_away not_connected server_silent theme_system theme_light theme_dark language_label language_change
        keys key_rows key_select key_open key_pause key_help close cancel do_it copy copied more_rows rows first_page
        previous_page next_page actions now job jobs_head queue class process processes error arguments facts latency memory share_head
        executed failed processed enqueued executions totals nobody_works and_so_on see_which last_hour last_hour_by_minute
        by_class no_queues no_queues_hint longest_queues badge_paused badge_unserved workers_and_store slots claimed store
        answer_took history days_before quiet_all stop_all ask_quiet_all ask_stop_all ask_quiet ask_stop quiet stop log no_process
        no_process_hint utilisation round_trip started last_beat badge_leader badge_quiet badge_embedded badge_silent stuck_jobs
        running_jobs running_caption nothing_runs nothing_runs_hint running_for ask_cancel badge_stuck stuck_hint told_to_end done
        workers pause resume clear runs_next pushed_last nothing_here shorter_queue nothing_waits nothing_waits_hint waits_since
        run_next runs_head next_try died tries nothing_scheduled nothing_scheduled_hint nothing_to_retry nothing_to_retry_hint
        nothing_died nothing_died_hint retry_now run_now kill delete contains_label contains filter look_at_more show_all
        nothing_found set_not_whole set_whole fewer_jobs selected_jobs select_jobs select_all ask_kill_selected
        ask_delete_selected no_job no_job_title no_error unreadable is_scheduled is_retry is_dead is_waiting is_running
        ask_delete_one ask_kill_one move_to not_a_job takes_none payload load_file timeline was_pushed failed_first failed_last
        was_discarded came_into_queue is_to_run is_to_be_retried has_died has_started id retry retry_default never failures
        created batch recovered nothing_fails nothing_fails_hint kinds_caption failure retrying first last discard ask_retry_kind
        ask_delete_kind all_of_kind all_jobs_of_it nothing_cron nothing_cron_hint fewer_entries cron_caption entry comes next_run last_run
        next_runs last_runs is_disabled has_failed enable disable entry_unreadable entry_unknown_form comes_no_more
        none_while_disabled not_run_yet not_run_yet_hint pushed for_tick asked_for about expression zone queue_of_job missed_ticks
        given_up comes_since last_tick declared_by classes_label classes_placeholder nothing_ran nothing_ran_hint
        class_did_not_run classes_caption over_time executions_over_time average in_all deployed all_classes average_ms
        average_time how_long those_that_succeeded histogram_caption time_head longer search_about search_what what_can_be_written
        term_class term_queue term_state term_args term_tag term_error term_jid term_since term_text term_minus go_on
        nothing_found_yet search_goes_on search_ended waiting_jobs place find_job not_found_yet nobody_has_id did_cancel
        did_remove did_miss did_pause did_resume did_clear did_enable did_disable did_run did_nothing is_it_meant no_undo
        under_way how_much looked_at gone_before left not_here not_allowed who_is_it store_is_away not_like_this cannot_be_done
        something_broke to_dashboard asks_again job_moved_on no_sweep no_minutes name_the_job may_not is_read_only may_not_look
        wants_password other_site
    }
    template {
        answers_in as_user colours colours_change range ago in_time unit_ms unit_s unit_min unit_h unit_d percent day_month
        of_total nobody_works_why late_in n_succeeded n_failed n_executed all_n processed_failed chart_executions chart_at_most
        bar_executions deployed_mark slots_in_use n_stuck and_n_more longest_running queue_named next_waits queue_caption
        looked_for n_selected select_one all_containing with_these ask_deed runs_at tried_again was_due dead_since in_queue
        waits_in waits_from_end runs_for_in runs_in in_minutes argument_n beginning_of too_long as_class latest_looked_at
        most_frequent in_class n_disabled other_version last_made lasts_made on_average not_looked_for found looked_at_about
        looked_at_all find_looked_at nobody_has_id_hint sweep_what asked_for_at stopped_early back_to no_page no_place no_such_job
        no_entry store_silent
    }
    plural {
        jobs jobs_wait queues_n processes_n entries_n classes_n unserved late silent ask_clear all_jobs backtrace times kinds
        ticks_made last_hours did_delete did_retry did_kill did_reschedule did_next did_quiet did_stop did_dump gone_already
    }
}

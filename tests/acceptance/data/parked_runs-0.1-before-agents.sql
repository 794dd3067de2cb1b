--
-- PostgreSQL database dump
--


-- Dumped from database version 18.4
-- Dumped by pg_dump version 18.4

SET statement_timeout = 0;
SET lock_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
SET transaction_timeout = 0;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;
SET xmloption = content;
SET client_min_messages = warning;
SET row_security = off;

--
-- Name: procrastinate_job_event_type; Type: TYPE; Schema: public; Owner: -
--

CREATE TYPE public.procrastinate_job_event_type AS ENUM (
    'deferred',
    'started',
    'deferred_for_retry',
    'failed',
    'succeeded',
    'cancelled',
    'abort_requested',
    'aborted',
    'scheduled',
    'retried'
);


--
-- Name: procrastinate_job_status; Type: TYPE; Schema: public; Owner: -
--

CREATE TYPE public.procrastinate_job_status AS ENUM (
    'todo',
    'doing',
    'succeeded',
    'failed',
    'cancelled',
    'aborting',
    'aborted'
);


--
-- Name: procrastinate_job_to_defer_v1; Type: TYPE; Schema: public; Owner: -
--

CREATE TYPE public.procrastinate_job_to_defer_v1 AS (
	queue_name character varying,
	task_name character varying,
	priority integer,
	lock text,
	queueing_lock text,
	args jsonb,
	scheduled_at timestamp with time zone
);


SET default_tablespace = '';

SET default_table_access_method = heap;

--
-- Name: audit; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.audit (
    tenant text NOT NULL,
    id bigint NOT NULL,
    at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    thread text NOT NULL,
    node text NOT NULL,
    event text NOT NULL,
    by text,
    digest text NOT NULL,
    details json NOT NULL
);


--
-- Name: greenlight_audit_append(public.audit); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.greenlight_audit_append(written public.audit) RETURNS void
    LANGUAGE plpgsql
    AS $$
DECLARE
    head audit_heads;
    seasoning text;
    token text;
    link text;
BEGIN
    SELECT * INTO head FROM audit_heads WHERE tenant = written.tenant FOR UPDATE;
    IF NOT FOUND THEN
        INSERT INTO audit_heads (tenant) VALUES (written.tenant) ON CONFLICT DO NOTHING;
        SELECT * INTO head FROM audit_heads WHERE tenant = written.tenant FOR UPDATE;
    END IF;
    IF written."by" <> '' THEN
        SELECT salt INTO seasoning FROM audit_people WHERE tenant = written.tenant AND person = written."by";
        IF NOT FOUND THEN
            seasoning := replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', '');
            INSERT INTO audit_people (tenant, person, salt) VALUES (written.tenant, written."by", seasoning);
        END IF;
        token := encode(sha256(convert_to(seasoning || ':' || written."by", 'UTF8')), 'hex');
    END IF;
    head.seq := head.seq + 1;
    link := encode(sha256(convert_to(
        greenlight_audit_field('greenlight-audit/1') || greenlight_audit_field(head.hash)
        || greenlight_audit_field(written.tenant) || greenlight_audit_field(head.seq::text)
        || greenlight_audit_field(to_char(written.at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'))
        || greenlight_audit_field(written.thread) || greenlight_audit_field(written.node)
        || greenlight_audit_field(written.event) || greenlight_audit_field(token)
        || greenlight_audit_field(written.digest) || greenlight_audit_field(written.details::text), 'UTF8')), 'hex');
    INSERT INTO audit_links (tenant, seq, entry, person, hash)
        VALUES (written.tenant, head.seq, written.id, token, link);
    UPDATE audit_heads SET seq = head.seq, hash = link,
        sealed_seq = CASE WHEN written.event = 'sealed' THEN head.seq ELSE sealed_seq END,
        sealed_at = CASE WHEN written.event = 'sealed' THEN written.at ELSE sealed_at END
        WHERE tenant = written.tenant;
END;
$$;


--
-- Name: greenlight_audit_erase_only(); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.greenlight_audit_erase_only() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    IF NEW."by" IS NULL AND (NEW.tenant, NEW.thread, NEW.id, NEW.at, NEW.node, NEW.event, NEW.digest, NEW.details::text)
        IS NOT DISTINCT FROM
        (OLD.tenant, OLD.thread, OLD.id, OLD.at, OLD.node, OLD.event, OLD.digest, OLD.details::text) THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'the audit is append-only' USING ERRCODE = 'restrict_violation';
END;
$$;


--
-- Name: greenlight_audit_field(text); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.greenlight_audit_field(value text) RETURNS text
    LANGUAGE sql IMMUTABLE
    AS $$
    SELECT CASE WHEN value IS NULL THEN '-' ELSE octet_length(convert_to(value, 'UTF8')) || ':' || value END
$$;


--
-- Name: greenlight_audit_link(); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.greenlight_audit_link() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    PERFORM greenlight_audit_append(NEW);
    IF NEW.event = 'started' AND (EXISTS (
        SELECT 1 FROM freezes WHERE freezes.tenant = NEW.tenant AND (
            scope = 'workspace' OR (scope = 'channel' AND target = split_part(NEW.thread, ':', 2))
            OR (scope = 'tool' AND target = NEW.details ->> 'tool'))
    ) OR EXISTS (
        SELECT 1 FROM approvals WHERE approvals.tenant = NEW.tenant AND approvals.thread = NEW.thread
            AND approvals.node = NEW.node AND approvals.digest = NEW.digest AND approvals.status = 'pending'
    )) THEN
        RAISE EXCEPTION 'red calls are frozen' USING ERRCODE = 'GL001';
    END IF;
    RETURN NULL;
END;
$$;


--
-- Name: greenlight_audit_refuse(); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.greenlight_audit_refuse() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    RAISE EXCEPTION 'the audit is append-only' USING ERRCODE = 'restrict_violation';
END;
$$;


--
-- Name: greenlight_hand_over_lock(); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.greenlight_hand_over_lock() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    PERFORM pg_notify(
        'procrastinate_any_queue_v1', json_build_object('type', 'job_inserted', 'job_id', OLD.id)::text
    );
    RETURN NULL;
END;
$$;


--
-- Name: greenlight_know_queue_worker(); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.greenlight_know_queue_worker() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    UPDATE workers SET queue_worker = NEW.id WHERE 'w:' || id = current_setting('application_name');
    RETURN NULL;
END;
$$;


--
-- Name: procrastinate_cancel_job_v1(bigint, boolean, boolean); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.procrastinate_cancel_job_v1(job_id bigint, abort boolean, delete_job boolean) RETURNS bigint
    LANGUAGE plpgsql
    AS $$
DECLARE
    _job_id bigint;
BEGIN
    IF delete_job THEN
        DELETE FROM procrastinate_jobs
        WHERE id = job_id AND status = 'todo'
        RETURNING id INTO _job_id;
    END IF;
    IF _job_id IS NULL THEN
        IF abort THEN
            UPDATE procrastinate_jobs
            SET abort_requested = true,
                status = CASE status
                    WHEN 'todo' THEN 'cancelled'::procrastinate_job_status ELSE status
                END
            WHERE id = job_id AND status IN ('todo', 'doing')
            RETURNING id INTO _job_id;
        ELSE
            UPDATE procrastinate_jobs
            SET status = 'cancelled'::procrastinate_job_status
            WHERE id = job_id AND status = 'todo'
            RETURNING id INTO _job_id;
        END IF;
    END IF;
    RETURN _job_id;
END;
$$;


--
-- Name: procrastinate_defer_jobs_v1(public.procrastinate_job_to_defer_v1[]); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.procrastinate_defer_jobs_v1(jobs public.procrastinate_job_to_defer_v1[]) RETURNS bigint[]
    LANGUAGE plpgsql
    AS $$
DECLARE
    job_ids bigint[];
BEGIN
    WITH inserted_jobs AS (
        INSERT INTO procrastinate_jobs (queue_name, task_name, priority, lock, queueing_lock, args, scheduled_at)
        SELECT (job).queue_name,
               (job).task_name,
               (job).priority,
               (job).lock,
               (job).queueing_lock,
               (job).args,
               (job).scheduled_at
        FROM unnest(jobs) AS job
        RETURNING id
    )
    SELECT array_agg(id) FROM inserted_jobs INTO job_ids;

    RETURN job_ids;
END;
$$;


--
-- Name: procrastinate_defer_periodic_job_v2(character varying, character varying, character varying, character varying, integer, character varying, bigint, jsonb); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.procrastinate_defer_periodic_job_v2(_queue_name character varying, _lock character varying, _queueing_lock character varying, _task_name character varying, _priority integer, _periodic_id character varying, _defer_timestamp bigint, _args jsonb) RETURNS bigint
    LANGUAGE plpgsql
    AS $$
DECLARE
	_job_id bigint;
	_defer_id bigint;
BEGIN
    INSERT
        INTO procrastinate_periodic_defers (task_name, periodic_id, defer_timestamp)
        VALUES (_task_name, _periodic_id, _defer_timestamp)
        ON CONFLICT DO NOTHING
        RETURNING id into _defer_id;

    IF _defer_id IS NULL THEN
        RETURN NULL;
    END IF;

    UPDATE procrastinate_periodic_defers
        SET job_id = (
            SELECT COALESCE((
                SELECT unnest(procrastinate_defer_jobs_v1(
                    ARRAY[
                        ROW(
                            _queue_name,
                            _task_name,
                            _priority,
                            _lock,
                            _queueing_lock,
                            _args,
                            NULL::timestamptz
                        )
                    ]::procrastinate_job_to_defer_v1[]
                ))
            ), NULL)
        )
        WHERE id = _defer_id
        RETURNING job_id INTO _job_id;

    DELETE
        FROM procrastinate_periodic_defers
        USING (
            SELECT id
            FROM procrastinate_periodic_defers
            WHERE procrastinate_periodic_defers.task_name = _task_name
            AND procrastinate_periodic_defers.periodic_id = _periodic_id
            AND procrastinate_periodic_defers.defer_timestamp < _defer_timestamp
            ORDER BY id
            FOR UPDATE
        ) to_delete
        WHERE procrastinate_periodic_defers.id = to_delete.id;

    RETURN _job_id;
END;
$$;


--
-- Name: procrastinate_jobs; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.procrastinate_jobs (
    id bigint NOT NULL,
    queue_name character varying(128) NOT NULL,
    task_name character varying(128) NOT NULL,
    priority integer DEFAULT 0 NOT NULL,
    lock text,
    queueing_lock text,
    args jsonb DEFAULT '{}'::jsonb NOT NULL,
    status public.procrastinate_job_status DEFAULT 'todo'::public.procrastinate_job_status NOT NULL,
    scheduled_at timestamp with time zone,
    attempts integer DEFAULT 0 NOT NULL,
    abort_requested boolean DEFAULT false NOT NULL,
    worker_id bigint,
    CONSTRAINT check_not_todo_abort_requested CHECK ((NOT ((status = 'todo'::public.procrastinate_job_status) AND (abort_requested = true))))
);


--
-- Name: procrastinate_fetch_job_v2(character varying[], bigint); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.procrastinate_fetch_job_v2(target_queue_names character varying[], p_worker_id bigint) RETURNS public.procrastinate_jobs
    LANGUAGE plpgsql
    AS $$
DECLARE
	found_jobs procrastinate_jobs;
BEGIN
    WITH candidate AS (
        SELECT jobs.*
            FROM procrastinate_jobs AS jobs
            WHERE
                -- reject the job if its lock has earlier or higher priority jobs
                NOT EXISTS (
                    SELECT 1
                        FROM procrastinate_jobs AS other_jobs
                        WHERE
                            jobs.lock IS NOT NULL
                            AND other_jobs.lock = jobs.lock
                            AND (
                                -- job with same lock is already running
                                other_jobs.status = 'doing'
                                OR
                                -- job with same lock is waiting and has higher priority (or same priority but was queued first)
                                (
                                    other_jobs.status = 'todo'
                                    AND (
                                        other_jobs.priority > jobs.priority
                                        OR (
                                        other_jobs.priority = jobs.priority
                                        AND other_jobs.id < jobs.id
                                        )
                                    )
                                )
                            )
                )
                AND jobs.status = 'todo'
                AND (target_queue_names IS NULL OR jobs.queue_name = ANY( target_queue_names ))
                AND (jobs.scheduled_at IS NULL OR jobs.scheduled_at <= now())
            ORDER BY jobs.priority DESC, jobs.id ASC LIMIT 1
            FOR UPDATE OF jobs SKIP LOCKED
    )
    UPDATE procrastinate_jobs
        SET status = 'doing', worker_id = p_worker_id
        FROM candidate
        WHERE procrastinate_jobs.id = candidate.id
        RETURNING procrastinate_jobs.* INTO found_jobs;

 RETURN found_jobs;
END;
$$;


--
-- Name: procrastinate_finish_job_v1(bigint, public.procrastinate_job_status, boolean); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.procrastinate_finish_job_v1(job_id bigint, end_status public.procrastinate_job_status, delete_job boolean) RETURNS void
    LANGUAGE plpgsql
    AS $$
DECLARE
    _job_id bigint;
BEGIN
    IF end_status NOT IN ('succeeded', 'failed', 'aborted') THEN
        RAISE 'End status should be either "succeeded", "failed" or "aborted" (job id: %)', job_id;
    END IF;
    IF delete_job THEN
        DELETE FROM procrastinate_jobs
        WHERE id = job_id AND status IN ('todo', 'doing')
        RETURNING id INTO _job_id;
    ELSE
        UPDATE procrastinate_jobs
        SET status = end_status,
            abort_requested = false,
            attempts = CASE status
                WHEN 'doing' THEN attempts + 1 ELSE attempts
            END
        WHERE id = job_id AND status IN ('todo', 'doing')
        RETURNING id INTO _job_id;
    END IF;
    IF _job_id IS NULL THEN
        RAISE 'Job was not found or not in "doing" or "todo" status (job id: %)', job_id;
    END IF;
END;
$$;


--
-- Name: procrastinate_notify_queue_abort_job_v1(); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.procrastinate_notify_queue_abort_job_v1() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
DECLARE
    payload TEXT;
BEGIN
    SELECT json_build_object('type', 'abort_job_requested', 'job_id', NEW.id)::text INTO payload;
	PERFORM pg_notify('procrastinate_queue_v1#' || NEW.queue_name, payload);
	PERFORM pg_notify('procrastinate_any_queue_v1', payload);
	RETURN NEW;
END;
$$;


--
-- Name: procrastinate_notify_queue_job_inserted_v1(); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.procrastinate_notify_queue_job_inserted_v1() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
DECLARE
    payload TEXT;
BEGIN
    SELECT json_build_object('type', 'job_inserted', 'job_id', NEW.id)::text INTO payload;
	PERFORM pg_notify('procrastinate_queue_v1#' || NEW.queue_name, payload);
	PERFORM pg_notify('procrastinate_any_queue_v1', payload);
	RETURN NEW;
END;
$$;


--
-- Name: procrastinate_prune_stalled_workers_v1(double precision); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.procrastinate_prune_stalled_workers_v1(seconds_since_heartbeat double precision) RETURNS TABLE(worker_id bigint)
    LANGUAGE plpgsql
    AS $$
BEGIN
    RETURN QUERY
    DELETE FROM procrastinate_workers
    WHERE last_heartbeat < NOW() - (seconds_since_heartbeat || 'SECOND')::INTERVAL
    RETURNING procrastinate_workers.id;
END;
$$;


--
-- Name: procrastinate_register_worker_v1(); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.procrastinate_register_worker_v1() RETURNS TABLE(worker_id bigint)
    LANGUAGE plpgsql
    AS $$
BEGIN
    RETURN QUERY
    INSERT INTO procrastinate_workers DEFAULT VALUES
    RETURNING procrastinate_workers.id;
END;
$$;


--
-- Name: procrastinate_retry_job_v1(bigint, timestamp with time zone, integer, character varying, character varying); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.procrastinate_retry_job_v1(job_id bigint, retry_at timestamp with time zone, new_priority integer, new_queue_name character varying, new_lock character varying) RETURNS void
    LANGUAGE plpgsql
    AS $$
DECLARE
    _job_id bigint;
    _abort_requested boolean;
BEGIN
    SELECT abort_requested FROM procrastinate_jobs
    WHERE id = job_id AND status = 'doing'
    FOR UPDATE
    INTO _abort_requested;
    IF _abort_requested THEN
        UPDATE procrastinate_jobs
        SET status = 'failed'::procrastinate_job_status
        WHERE id = job_id AND status = 'doing'
        RETURNING id INTO _job_id;
    ELSE
        UPDATE procrastinate_jobs
        SET status = 'todo'::procrastinate_job_status,
            attempts = attempts + 1,
            scheduled_at = retry_at,
            priority = COALESCE(new_priority, priority),
            queue_name = COALESCE(new_queue_name, queue_name),
            lock = COALESCE(new_lock, lock)
        WHERE id = job_id AND status = 'doing'
        RETURNING id INTO _job_id;
    END IF;

    IF _job_id IS NULL THEN
        RAISE 'Job was not found or not in "doing" status (job id: %)', job_id;
    END IF;
END;
$$;


--
-- Name: procrastinate_retry_job_v2(bigint, timestamp with time zone, integer, character varying, character varying); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.procrastinate_retry_job_v2(job_id bigint, retry_at timestamp with time zone, new_priority integer, new_queue_name character varying, new_lock character varying) RETURNS void
    LANGUAGE plpgsql
    AS $$
DECLARE
    _job_id bigint;
    _abort_requested boolean;
    _current_status procrastinate_job_status;
BEGIN
    SELECT status, abort_requested FROM procrastinate_jobs
    WHERE id = job_id AND status IN ('doing', 'failed')
    FOR UPDATE
    INTO _current_status, _abort_requested;
    IF _current_status = 'doing' AND _abort_requested THEN
        UPDATE procrastinate_jobs
        SET status = 'failed'::procrastinate_job_status
        WHERE id = job_id AND status = 'doing'
        RETURNING id INTO _job_id;
    ELSE
        UPDATE procrastinate_jobs
        SET status = 'todo'::procrastinate_job_status,
            attempts = attempts + 1,
            scheduled_at = retry_at,
            priority = COALESCE(new_priority, priority),
            queue_name = COALESCE(new_queue_name, queue_name),
            lock = COALESCE(new_lock, lock)
        WHERE id = job_id AND status IN ('doing', 'failed')
        RETURNING id INTO _job_id;
    END IF;

    IF _job_id IS NULL THEN
        RAISE 'Job was not found or has an invalid status to retry (job id: %)', job_id;
    END IF;

END;
$$;


--
-- Name: procrastinate_trigger_abort_requested_events_procedure_v1(); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.procrastinate_trigger_abort_requested_events_procedure_v1() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    INSERT INTO procrastinate_events(job_id, type)
        VALUES (NEW.id, 'abort_requested'::procrastinate_job_event_type);
    RETURN NEW;
END;
$$;


--
-- Name: procrastinate_trigger_function_scheduled_events_v1(); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.procrastinate_trigger_function_scheduled_events_v1() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    INSERT INTO procrastinate_events(job_id, type, at)
        VALUES (NEW.id, 'scheduled'::procrastinate_job_event_type, NEW.scheduled_at);

	RETURN NEW;
END;
$$;


--
-- Name: procrastinate_trigger_function_status_events_insert_v1(); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.procrastinate_trigger_function_status_events_insert_v1() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    INSERT INTO procrastinate_events(job_id, type)
        VALUES (NEW.id, 'deferred'::procrastinate_job_event_type);
	RETURN NEW;
END;
$$;


--
-- Name: procrastinate_trigger_function_status_events_update_v1(); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.procrastinate_trigger_function_status_events_update_v1() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    WITH t AS (
        SELECT CASE
            WHEN OLD.status = 'todo'::procrastinate_job_status
                AND NEW.status = 'doing'::procrastinate_job_status
                THEN 'started'::procrastinate_job_event_type
            WHEN OLD.status = 'doing'::procrastinate_job_status
                AND NEW.status = 'todo'::procrastinate_job_status
                THEN 'deferred_for_retry'::procrastinate_job_event_type
            WHEN OLD.status = 'doing'::procrastinate_job_status
                AND NEW.status = 'failed'::procrastinate_job_status
                THEN 'failed'::procrastinate_job_event_type
            WHEN OLD.status = 'doing'::procrastinate_job_status
                AND NEW.status = 'succeeded'::procrastinate_job_status
                THEN 'succeeded'::procrastinate_job_event_type
            WHEN OLD.status = 'todo'::procrastinate_job_status
                AND (
                    NEW.status = 'cancelled'::procrastinate_job_status
                    OR NEW.status = 'failed'::procrastinate_job_status
                    OR NEW.status = 'succeeded'::procrastinate_job_status
                )
                THEN 'cancelled'::procrastinate_job_event_type
            WHEN OLD.status = 'doing'::procrastinate_job_status
                AND NEW.status = 'aborted'::procrastinate_job_status
                THEN 'aborted'::procrastinate_job_event_type
            WHEN OLD.status = 'failed'::procrastinate_job_status
                AND NEW.status = 'todo'::procrastinate_job_status
                THEN 'retried'::procrastinate_job_event_type
            ELSE NULL
        END as event_type
    )
    INSERT INTO procrastinate_events(job_id, type)
        SELECT NEW.id, t.event_type
        FROM t
        WHERE t.event_type IS NOT NULL;
	RETURN NEW;
END;
$$;


--
-- Name: procrastinate_unlink_periodic_defers_v1(); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.procrastinate_unlink_periodic_defers_v1() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    UPDATE procrastinate_periodic_defers
    SET job_id = NULL
    WHERE job_id = OLD.id;
    RETURN OLD;
END;
$$;


--
-- Name: procrastinate_unregister_worker_v1(bigint); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.procrastinate_unregister_worker_v1(worker_id bigint) RETURNS void
    LANGUAGE plpgsql
    AS $$
BEGIN
    DELETE FROM procrastinate_workers
    WHERE id = worker_id;
END;
$$;


--
-- Name: procrastinate_update_heartbeat_v1(bigint); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.procrastinate_update_heartbeat_v1(worker_id bigint) RETURNS void
    LANGUAGE plpgsql
    AS $$
BEGIN
    UPDATE procrastinate_workers
    SET last_heartbeat = NOW()
    WHERE id = worker_id;
END;
$$;


--
-- Name: alembic_version; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.alembic_version (
    version_num character varying(32) NOT NULL
);


--
-- Name: approvals; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.approvals (
    tenant text NOT NULL,
    id text NOT NULL,
    thread text NOT NULL,
    turn bigint NOT NULL,
    node text NOT NULL,
    kind text NOT NULL,
    title text NOT NULL,
    tool text NOT NULL,
    args json NOT NULL,
    digest text NOT NULL,
    author text NOT NULL,
    attempt bigint NOT NULL,
    blocks json NOT NULL,
    asked bigint NOT NULL,
    asked_at timestamp with time zone DEFAULT now() NOT NULL,
    expires_at timestamp with time zone,
    version bigint DEFAULT '1'::bigint NOT NULL,
    status text DEFAULT 'pending'::text NOT NULL,
    decided_by text,
    reason text DEFAULT ''::text NOT NULL,
    decided_at timestamp with time zone,
    facts json DEFAULT '{}'::json NOT NULL,
    edited json,
    result json,
    claimed_by text,
    policy json,
    due_at timestamp with time zone,
    card text DEFAULT ''::text NOT NULL,
    grant_id text DEFAULT ''::text NOT NULL
);


--
-- Name: approvals_asked_seq; Type: SEQUENCE; Schema: public; Owner: -
--

ALTER TABLE public.approvals ALTER COLUMN asked ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.approvals_asked_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: artifact_uses; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.artifact_uses (
    tenant text NOT NULL,
    thread text NOT NULL,
    digest text NOT NULL,
    name text NOT NULL,
    media_type text NOT NULL,
    used_at timestamp with time zone DEFAULT now() NOT NULL
);


--
-- Name: artifacts; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.artifacts (
    tenant text NOT NULL,
    digest text NOT NULL,
    content bytea NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL
);


--
-- Name: attempts; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.attempts (
    tenant text NOT NULL,
    thread text NOT NULL,
    node text NOT NULL,
    attempt bigint NOT NULL,
    kind text NOT NULL,
    code text NOT NULL,
    error text NOT NULL,
    traceback text NOT NULL,
    milliseconds double precision NOT NULL,
    at timestamp with time zone NOT NULL,
    of text DEFAULT ''::text NOT NULL,
    record text
);


--
-- Name: audit_heads; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.audit_heads (
    tenant text NOT NULL,
    seq bigint DEFAULT '0'::bigint NOT NULL,
    hash text DEFAULT ''::text NOT NULL,
    sealed_seq bigint DEFAULT '0'::bigint NOT NULL,
    sealed_at timestamp with time zone
);


--
-- Name: audit_id_seq; Type: SEQUENCE; Schema: public; Owner: -
--

ALTER TABLE public.audit ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.audit_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: audit_links; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.audit_links (
    tenant text NOT NULL,
    seq bigint NOT NULL,
    entry bigint NOT NULL,
    person text,
    hash text NOT NULL
);


--
-- Name: audit_people; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.audit_people (
    tenant text NOT NULL,
    person text NOT NULL,
    salt text NOT NULL
);


--
-- Name: checkpoint_blobs; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.checkpoint_blobs (
    thread_id text NOT NULL,
    checkpoint_ns text DEFAULT ''::text NOT NULL,
    channel text NOT NULL,
    version text NOT NULL,
    type text NOT NULL,
    blob bytea
);


--
-- Name: checkpoint_migrations; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.checkpoint_migrations (
    v integer NOT NULL
);


--
-- Name: checkpoint_writes; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.checkpoint_writes (
    thread_id text NOT NULL,
    checkpoint_ns text DEFAULT ''::text NOT NULL,
    checkpoint_id text NOT NULL,
    task_id text NOT NULL,
    idx integer NOT NULL,
    channel text NOT NULL,
    type text,
    blob bytea NOT NULL,
    task_path text DEFAULT ''::text NOT NULL
);


--
-- Name: checkpoints; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.checkpoints (
    thread_id text NOT NULL,
    checkpoint_ns text DEFAULT ''::text NOT NULL,
    checkpoint_id text NOT NULL,
    parent_checkpoint_id text,
    type text,
    checkpoint jsonb NOT NULL,
    metadata jsonb DEFAULT '{}'::jsonb NOT NULL
);


--
-- Name: freezes; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.freezes (
    tenant text NOT NULL,
    scope text NOT NULL,
    target text NOT NULL,
    by text NOT NULL,
    at timestamp with time zone DEFAULT now() NOT NULL
);


--
-- Name: grants; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.grants (
    tenant text NOT NULL,
    id text NOT NULL,
    kind text NOT NULL,
    channel text NOT NULL,
    thread text NOT NULL,
    turn bigint NOT NULL,
    tool text NOT NULL,
    conditions json NOT NULL,
    made_by text NOT NULL,
    made_at timestamp with time zone DEFAULT now() NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    most_uses bigint NOT NULL,
    uses bigint DEFAULT '0'::bigint NOT NULL,
    revoked_at timestamp with time zone
);


--
-- Name: inbox; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.inbox (
    tenant text NOT NULL,
    id bigint NOT NULL,
    thread text NOT NULL,
    app text NOT NULL,
    event_id text NOT NULL,
    channel text NOT NULL,
    ts text NOT NULL,
    author text NOT NULL,
    text text NOT NULL,
    kind text NOT NULL,
    at timestamp with time zone DEFAULT now() NOT NULL,
    turn bigint
);


--
-- Name: inbox_id_seq; Type: SEQUENCE; Schema: public; Owner: -
--

ALTER TABLE public.inbox ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.inbox_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: leases; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.leases (
    tenant text NOT NULL,
    thread text NOT NULL,
    worker text NOT NULL,
    job bigint NOT NULL,
    token bigint NOT NULL,
    taken_at timestamp with time zone DEFAULT now() NOT NULL
);


--
-- Name: leases_token_seq; Type: SEQUENCE; Schema: public; Owner: -
--

ALTER TABLE public.leases ALTER COLUMN token ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.leases_token_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: ledger; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.ledger (
    tenant text NOT NULL,
    thread text NOT NULL,
    node text NOT NULL,
    attempt bigint NOT NULL,
    digest text NOT NULL,
    state text DEFAULT 'started'::text NOT NULL,
    result json,
    started_at timestamp with time zone DEFAULT now() NOT NULL,
    finished_at timestamp with time zone,
    inverse json
);


--
-- Name: nodes; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.nodes (
    tenant text NOT NULL,
    thread text NOT NULL,
    node text NOT NULL,
    turn bigint NOT NULL,
    noted bigint NOT NULL,
    title text NOT NULL,
    kind text NOT NULL,
    tool text,
    colour text NOT NULL,
    author text NOT NULL,
    state text NOT NULL,
    detail text DEFAULT ''::text NOT NULL,
    depends_on json NOT NULL,
    outcome json,
    planned_at timestamp with time zone NOT NULL,
    changed_at timestamp with time zone NOT NULL,
    started_at timestamp with time zone,
    ended_at timestamp with time zone
);


--
-- Name: nodes_noted_seq; Type: SEQUENCE; Schema: public; Owner: -
--

ALTER TABLE public.nodes ALTER COLUMN noted ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.nodes_noted_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: operations; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.operations (
    tenant text NOT NULL,
    thread text NOT NULL,
    seq bigint NOT NULL,
    turn bigint NOT NULL,
    author text NOT NULL,
    operation json NOT NULL,
    adds text,
    at timestamp with time zone DEFAULT now() NOT NULL
);


--
-- Name: posts; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.posts (
    tenant text NOT NULL,
    thread text NOT NULL,
    turn bigint NOT NULL,
    post text NOT NULL,
    key text NOT NULL,
    begun_at timestamp with time zone DEFAULT now() NOT NULL,
    ts text,
    shown text
);


--
-- Name: procrastinate_events; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.procrastinate_events (
    id bigint NOT NULL,
    job_id bigint NOT NULL,
    type public.procrastinate_job_event_type,
    at timestamp with time zone DEFAULT now()
);


--
-- Name: procrastinate_events_id_seq; Type: SEQUENCE; Schema: public; Owner: -
--

CREATE SEQUENCE public.procrastinate_events_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;


--
-- Name: procrastinate_events_id_seq; Type: SEQUENCE OWNED BY; Schema: public; Owner: -
--

ALTER SEQUENCE public.procrastinate_events_id_seq OWNED BY public.procrastinate_events.id;


--
-- Name: procrastinate_jobs_id_seq; Type: SEQUENCE; Schema: public; Owner: -
--

CREATE SEQUENCE public.procrastinate_jobs_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;


--
-- Name: procrastinate_jobs_id_seq; Type: SEQUENCE OWNED BY; Schema: public; Owner: -
--

ALTER SEQUENCE public.procrastinate_jobs_id_seq OWNED BY public.procrastinate_jobs.id;


--
-- Name: procrastinate_periodic_defers; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.procrastinate_periodic_defers (
    id bigint NOT NULL,
    task_name character varying(128) NOT NULL,
    defer_timestamp bigint,
    job_id bigint,
    periodic_id character varying(128) DEFAULT ''::character varying NOT NULL
);


--
-- Name: procrastinate_periodic_defers_id_seq; Type: SEQUENCE; Schema: public; Owner: -
--

CREATE SEQUENCE public.procrastinate_periodic_defers_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;


--
-- Name: procrastinate_periodic_defers_id_seq; Type: SEQUENCE OWNED BY; Schema: public; Owner: -
--

ALTER SEQUENCE public.procrastinate_periodic_defers_id_seq OWNED BY public.procrastinate_periodic_defers.id;


--
-- Name: procrastinate_workers; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.procrastinate_workers (
    id bigint NOT NULL,
    last_heartbeat timestamp with time zone DEFAULT now() NOT NULL
);


--
-- Name: procrastinate_workers_id_seq; Type: SEQUENCE; Schema: public; Owner: -
--

ALTER TABLE public.procrastinate_workers ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.procrastinate_workers_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: queue_migrations; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.queue_migrations (
    name text NOT NULL,
    applied_at timestamp with time zone DEFAULT now() NOT NULL
);


--
-- Name: results; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.results (
    tenant text NOT NULL,
    author text NOT NULL,
    tool text NOT NULL,
    version text NOT NULL,
    arguments text NOT NULL,
    value json,
    kept_at timestamp with time zone DEFAULT now() NOT NULL,
    expires_at timestamp with time zone NOT NULL
);


--
-- Name: runs; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.runs (
    tenant text NOT NULL,
    thread text NOT NULL,
    turn bigint NOT NULL,
    channel text NOT NULL,
    requester text NOT NULL,
    status text NOT NULL,
    replies json DEFAULT '[]'::json NOT NULL,
    trouble text DEFAULT ''::text NOT NULL,
    answer text DEFAULT ''::text NOT NULL,
    started_at timestamp with time zone DEFAULT now() NOT NULL,
    ended_at timestamp with time zone,
    settled boolean DEFAULT false NOT NULL,
    reflections json DEFAULT '[]'::json NOT NULL,
    model_calls bigint DEFAULT '0'::bigint NOT NULL,
    input_tokens bigint DEFAULT '0'::bigint NOT NULL,
    output_tokens bigint DEFAULT '0'::bigint NOT NULL,
    cost_micros bigint DEFAULT '0'::bigint NOT NULL,
    work_milliseconds bigint DEFAULT '0'::bigint NOT NULL,
    nodes bigint DEFAULT '0'::bigint NOT NULL,
    packing json DEFAULT '{}'::json NOT NULL,
    cached_tokens bigint DEFAULT '0'::bigint NOT NULL
);


--
-- Name: summaries; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.summaries (
    tenant text NOT NULL,
    thread text NOT NULL,
    upto_turn bigint NOT NULL,
    text text NOT NULL,
    written_at timestamp with time zone DEFAULT now() NOT NULL
);


--
-- Name: threads; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.threads (
    tenant text NOT NULL,
    thread text NOT NULL,
    channel text NOT NULL,
    last_seq bigint DEFAULT '0'::bigint NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    looked_for_at timestamp with time zone,
    takeovers bigint DEFAULT '0'::bigint NOT NULL,
    ended bigint DEFAULT '0'::bigint NOT NULL,
    set_aside_at timestamp with time zone
);


--
-- Name: votes; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.votes (
    tenant text NOT NULL,
    approval text NOT NULL,
    digest text NOT NULL,
    stages text NOT NULL,
    by text NOT NULL,
    stage bigint NOT NULL,
    at timestamp with time zone DEFAULT now() NOT NULL
);


--
-- Name: worker_sessions; Type: TABLE; Schema: public; Owner: -
--

CREATE UNLOGGED TABLE public.worker_sessions (
    worker text NOT NULL,
    since timestamp with time zone DEFAULT clock_timestamp() NOT NULL
);


--
-- Name: workers; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.workers (
    id text NOT NULL,
    host text NOT NULL,
    pid bigint NOT NULL,
    queue_worker bigint,
    started_at timestamp with time zone DEFAULT now() NOT NULL,
    heartbeat_at timestamp with time zone DEFAULT now() NOT NULL,
    dead_at timestamp with time zone,
    buried_at timestamp with time zone,
    signed_off boolean DEFAULT false NOT NULL
);


--
-- Name: procrastinate_events id; Type: DEFAULT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.procrastinate_events ALTER COLUMN id SET DEFAULT nextval('public.procrastinate_events_id_seq'::regclass);


--
-- Name: procrastinate_jobs id; Type: DEFAULT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.procrastinate_jobs ALTER COLUMN id SET DEFAULT nextval('public.procrastinate_jobs_id_seq'::regclass);


--
-- Name: procrastinate_periodic_defers id; Type: DEFAULT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.procrastinate_periodic_defers ALTER COLUMN id SET DEFAULT nextval('public.procrastinate_periodic_defers_id_seq'::regclass);


--
-- Data for Name: alembic_version; Type: TABLE DATA; Schema: public; Owner: -
--

COPY public.alembic_version (version_num) FROM stdin;
0018
\.


--
-- Data for Name: approvals; Type: TABLE DATA; Schema: public; Owner: -
--

COPY public.approvals (tenant, id, thread, turn, node, kind, title, tool, args, digest, author, attempt, blocks, asked, asked_at, expires_at, version, status, decided_by, reason, decided_at, facts, edited, result, claimed_by, policy, due_at, card, grant_id) FROM stdin;
T0LOCAL	934d7cd9159e10b605b0553db9e18229	T0LOCAL:C0OPS:1795504687.867791	1	tell	approve	Title of tell	slack_post_message	{"channel":"#incidents","text":"all is well on third"}	4a1b8f6204da24e82ad41da28f9e208ec5758f3fe78297d686b4e7d7f3dfc879	U0ADA	1	[]	1	2026-11-24 07:18:09.305873+00	\N	1	pending	\N		\N	{"reversibility":"compensable","origins":{"channel":[{"plan":""}],"text":[{"plan":""},{"step":"Title of third"}]},"outside":{"text":["Title of third"]},"targets":["channel"],"state":{"read":{"channel":"#incidents","id":"C0INCIDENTS","public":true,"archived":false,"shared_with_others":false}}}	\N	\N	\N	{"stages":[{"self_approval":false}],"version":"690dae6a94012ced"}	\N		
T0LOCAL	17bda852fd83daec441e3c586aeaa3f1	T0LOCAL:C0OPS:1795504689.362036	1		rounds		reflection	{}	5f2d2b8ed850dde76e17f5287169bdb4cd12fd373cfc180a60c8729cc2cb6ce8	U0ADA	1	["Title of look4"]	2	2026-11-24 07:18:09.587198+00	\N	1	pending	\N		\N	{}	\N	\N	\N	\N	\N		
T0LOCAL	decae69077329ad1b746ad27f260cd7d	T0LOCAL:C0OPS:1795504689.721295	1		ask	Which region do you mean?	reflection	{}	cc421b8e40e931cccfeeafcb60a3f5ed0f40176df945492f3633d14eea31c4ac	U0ADA	1	[]	3	2026-11-24 07:18:09.787611+00	\N	1	pending	\N		\N	{}	\N	\N	\N	\N	\N		
T0LOCAL	adf7bdcbd22dbcab1cff0ce4fcccb8c1	T0LOCAL:C0OPS:1795504691.635052	1	tell-2	approve	Title of tell (3 of 3)	slack_post_message	{"channel":"#incidents","text":"host c is down"}	bc70b056a322d79852175b72391dae23defcf0f41d135dc5fc52cda9a8cabd82	U0ADA	1	["Title of behind"]	5	2026-11-24 07:18:11.734976+00	\N	1	pending	\N		\N	{"reversibility":"compensable","origins":{"channel":[{"plan":""}],"text":[{"person":"U0ADA"},{"step":"Title of find"}]},"targets":["channel"],"state":{"read":{"channel":"#incidents","id":"C0INCIDENTS","public":true,"archived":false,"shared_with_others":false}}}	\N	\N	\N	{"stages":[{"self_approval":false}],"version":"690dae6a94012ced"}	\N	007be98f1670296581c7ce6668ecfcf7	
T0LOCAL	007be98f1670296581c7ce6668ecfcf7	T0LOCAL:C0OPS:1795504691.635052	1	tell-0	approve	Title of tell (1 of 3)	slack_post_message	{"channel":"#incidents","text":"host a is down"}	d00661b585fbb7e40442b8f84e1fa92a6a20d1ccc83642123ad0e8242af15976	U0ADA	1	["Title of behind"]	4	2026-11-24 07:18:11.733836+00	\N	1	approved	U0GRACE		2026-11-24 07:18:13.738289+00	{"reversibility":"compensable","origins":{"channel":[{"plan":""}],"text":[{"person":"U0ADA"},{"step":"Title of find"}]},"targets":["channel"],"state":{"read":{"channel":"#incidents","id":"C0INCIDENTS","public":true,"archived":false,"shared_with_others":false}}}	\N	\N	\N	{"stages":[{"self_approval":false}],"version":"690dae6a94012ced"}	\N	007be98f1670296581c7ce6668ecfcf7	
T0LOCAL	87f0022af277a56a354634c25cae059c	T0LOCAL:C0OPS:1795504693.866916	1	tell	approve	Title of tell	slack_post_message	{"channel":"#incidents","text":"what is unknown"}	0224c76977d9bc0ca19a3b6a114e885a0fa72586f4d3002ca4ac1ddeac46e784	U0ADA	1	[]	6	2026-11-24 07:18:13.932059+00	\N	1	approved	U0GRACE		2026-11-24 07:18:15.90594+00	{"reversibility":"compensable","origins":{"channel":[{"plan":""}],"text":[{"person":"U0ADA"}]},"targets":["channel"],"state":{"read":{"channel":"#incidents","id":"C0INCIDENTS","public":true,"archived":false,"shared_with_others":false}}}	\N	\N	\N	{"stages":[{"self_approval":false}],"version":"690dae6a94012ced"}	\N		
T0LOCAL	533ae8087022e60c354634c25cae059c	T0LOCAL:C0OPS:1795504693.866916	1	tell	unknown	Title of tell	slack_post_message	{"channel":"#incidents","text":"what is unknown"}	0224c76977d9bc0ca19a3b6a114e885a0fa72586f4d3002ca4ac1ddeac46e784	U0ADA	1	["Title of after"]	7	2026-11-24 07:18:18.504962+00	\N	1	pending	\N		\N	{"reversibility":"compensable","origins":{"channel":[{"plan":""}],"text":[{"person":"U0ADA"}]},"targets":["channel"],"state":{"read":{"channel":"#incidents","id":"C0INCIDENTS","public":true,"archived":false,"shared_with_others":false}}}	\N	\N	\N	{"stages":[{"self_approval":false}],"version":"690dae6a94012ced"}	\N		
T0LOCAL	8183b95b489aba34222f53fbc5444aa6	T0LOCAL:C0OPS:1795504698.799727	1		budget		budget	{"breaches":[{"scope":"run","measure":"nodes","used":1,"most":1}],"currency":"$"}	0f934454ea724d715151ba94f9d78298c45d7c3edefc7c581161f81b6cb449c5	U0ADA	1	[]	8	2026-11-24 07:18:20.256231+00	\N	1	pending	\N		\N	{}	\N	\N	\N	\N	\N		
\.


--
-- Data for Name: artifact_uses; Type: TABLE DATA; Schema: public; Owner: -
--

COPY public.artifact_uses (tenant, thread, digest, name, media_type, used_at) FROM stdin;
T0LOCAL	T0LOCAL:C0OPS:1795504700.566678	764e4a20894f441531cc87fa44c8c9e068ac17ea1a08af4ad616109d409946e9	count-attempt-1.json	application/json	2026-11-24 07:18:22.819835+00
\.


--
-- Data for Name: artifacts; Type: TABLE DATA; Schema: public; Owner: -
--

COPY public.artifacts (tenant, digest, content, created_at) FROM stdin;
T0LOCAL	764e4a20894f441531cc87fa44c8c9e068ac17ea1a08af4ad616109d409946e9	\\x7b22616e7377657273223a5b7b2263616c6c223a225b5c22736c61636b5f726561645f6368616e6e656c5c222c7b5c226368616e6e656c5c223a5c222367656e6572616c5c222c5c227468726561645f74735c223a5c22313739353530343638372e3834373331365c227d5d222c2276616c7565223a7b226368616e6e656c223a7b226964223a22433047454e4552414c222c226e616d65223a2267656e6572616c227d2c226d65737361676573223a5b7b226174223a22323032362d31312d32345430373a31383a30372b30303a3030222c22617574686f72223a7b226964223a225530414441222c226e616d65223a22416461204c6f76656c616365227d2c2274657874223a22636f756e746564222c227473223a22313739353530343638372e383437333136227d5d2c227472756e6361746564223a66616c73657d7d5d2c2263616c6c73223a5b7b2261726773223a227b5c226368616e6e656c5c223a205c222367656e6572616c5c222c205c227468726561645f74735c223a205c22313739353530343638372e3834373331365c227d222c226d696c6c697365636f6e6473223a332e302c226f6b223a747275652c22746f6f6c223a22736c61636b5f726561645f6368616e6e656c227d5d2c226c6f6773223a22227d	2026-11-24 07:18:22.819835+00
\.


--
-- Data for Name: attempts; Type: TABLE DATA; Schema: public; Owner: -
--

COPY public.attempts (tenant, thread, node, attempt, kind, code, error, traceback, milliseconds, at, of, record) FROM stdin;
T0LOCAL	T0LOCAL:C0OPS:1795504691.635052	find	1	ok	def main(inputs):\n    hosts = [{'name': name, 'down': name != 'b'} for name in ['a', 'b', 'c']]\n    return {'hosts': hosts}\n			25.453	2026-11-24 07:18:11.716731+00	1c28f3cd2283f42da3377ee41d33aac146de8b842d002a34f8d622d9121551be	\N
T0LOCAL	T0LOCAL:C0OPS:1795504700.566678	count	1	error	def main(inputs):\n    page = tools.slack_read_channel(channel=inputs["channel"], thread_ts=inputs["ts"])\n    return {"counted": len(page["messages"]), "of": page["kinds"]}\n	KeyError: 'kinds'	Traceback (most recent call last):\n  File "script.py", line 3, in main\n    return {"counted": len(page["messages"]), "of": page["kinds"]}\nKeyError: 'kinds'	20.728	2026-11-24 07:18:22.816462+00	6fce11f688572b996ee28c9c51242c1c61ec323c5b16d8f7a5b3aa9e66c1ee3c	764e4a20894f441531cc87fa44c8c9e068ac17ea1a08af4ad616109d409946e9
\.


--
-- Data for Name: audit; Type: TABLE DATA; Schema: public; Owner: -
--

COPY public.audit (tenant, id, at, thread, node, event, by, digest, details) FROM stdin;
T0LOCAL	1	2026-11-24 07:18:09.227148+00	T0LOCAL:C0OPS:1795504687.867791		planned	U0ADA	7f6d471289ed23feb36056f816a2979f3a6844ca0be53bc079ccecd9c4b34347	{"turn":1,"first":1,"last":1}
T0LOCAL	2	2026-11-24 07:18:09.243097+00	T0LOCAL:C0OPS:1795504687.867791		planned	U0ADA	c0880765744c9990989d3b26e931ed32fc6c7fdfc3cf2c24500c0337a92c8f38	{"turn":1,"first":2,"last":2}
T0LOCAL	3	2026-11-24 07:18:09.255148+00	T0LOCAL:C0OPS:1795504687.867791		planned	U0ADA	ffc6f5a726e07aca801521865d6d80d7fe3725514e9a2f59a66b2e05923d999c	{"turn":1,"first":3,"last":3}
T0LOCAL	4	2026-11-24 07:18:09.271822+00	T0LOCAL:C0OPS:1795504687.867791		planned	U0ADA	1e4a77cf657a3c65d3acdeef40f6d5562ebdfc26095753540c6d3b3be8d2b525	{"turn":1,"first":4,"last":4}
T0LOCAL	5	2026-11-24 07:18:09.294862+00	T0LOCAL:C0OPS:1795504687.867791		planned	U0ADA	7c4fa44e291db5e25bf1ce3e185e4f12abeaaa22e1e4a1c75282cf45ea5deb4f	{"turn":1,"first":5,"last":5}
T0LOCAL	6	2026-11-24 07:18:09.306346+00	T0LOCAL:C0OPS:1795504687.867791	tell	asked	U0ADA	4a1b8f6204da24e82ad41da28f9e208ec5758f3fe78297d686b4e7d7f3dfc879	{"question":"934d7cd9159e10b605b0553db9e18229","kind":"approve","tool":"slack_post_message","policy":"690dae6a94012ced"}
T0LOCAL	7	2026-11-24 07:18:09.35213+00	T0LOCAL:C0OPS:1795504687.867791	tell	posted	\N	4a1b8f6204da24e82ad41da28f9e208ec5758f3fe78297d686b4e7d7f3dfc879	{"question":"934d7cd9159e10b605b0553db9e18229","ts":"1795504689.347976","message":"daf975f5ef267739632b3b1c0e48c0f72a89d22946868aace8d8dfc136461c55"}
T0LOCAL	8	2026-11-24 07:18:09.403048+00	T0LOCAL:C0OPS:1795504689.362036		planned	U0ADA	fe17435a9fac7d0722c4e41085d93b90f737bcd6b18c290b0fb979367f570726	{"turn":1,"first":1,"last":1}
T0LOCAL	9	2026-11-24 07:18:09.439047+00	T0LOCAL:C0OPS:1795504689.362036		planned	U0ADA	ac232b2bac16428cf7945656c4b8985198ad719f54cb0bbbcea2659f54fba2e8	{"turn":1,"first":2,"last":2}
T0LOCAL	10	2026-11-24 07:18:09.48999+00	T0LOCAL:C0OPS:1795504689.362036		planned	U0ADA	4f79fe2ad8b6fe43957c4767ede4747a39454aabcbc09e7f7ad63383866a8af5	{"turn":1,"first":3,"last":3}
T0LOCAL	11	2026-11-24 07:18:09.534351+00	T0LOCAL:C0OPS:1795504689.362036		planned	U0ADA	7144154b4f6233636c7924d55ddc9eedb652caaced4504e88d1edf99c2a8c3e5	{"turn":1,"first":4,"last":4}
T0LOCAL	12	2026-11-24 07:18:09.587563+00	T0LOCAL:C0OPS:1795504689.362036		asked	U0ADA	5f2d2b8ed850dde76e17f5287169bdb4cd12fd373cfc180a60c8729cc2cb6ce8	{"question":"17bda852fd83daec441e3c586aeaa3f1","kind":"rounds","tool":"reflection"}
T0LOCAL	13	2026-11-24 07:18:09.614969+00	T0LOCAL:C0OPS:1795504689.362036		posted	\N	5f2d2b8ed850dde76e17f5287169bdb4cd12fd373cfc180a60c8729cc2cb6ce8	{"question":"17bda852fd83daec441e3c586aeaa3f1","ts":"1795504689.613433","message":"788ada4c8e0d81850653327d66664a906646235bc86565ef262ff0df42b6006e"}
T0LOCAL	14	2026-11-24 07:18:09.761063+00	T0LOCAL:C0OPS:1795504689.721295		planned	U0ADA	c3d8a87e888a5f39cd9432bab8c2a80438be90635feb3a10482e6edbd6ecb6ce	{"turn":1,"first":1,"last":1}
T0LOCAL	15	2026-11-24 07:18:09.787911+00	T0LOCAL:C0OPS:1795504689.721295		asked	U0ADA	cc421b8e40e931cccfeeafcb60a3f5ed0f40176df945492f3633d14eea31c4ac	{"question":"decae69077329ad1b746ad27f260cd7d","kind":"ask","tool":"reflection"}
T0LOCAL	16	2026-11-24 07:18:11.526523+00	T0LOCAL:C0OPS:1795504689.721295		posted	\N	cc421b8e40e931cccfeeafcb60a3f5ed0f40176df945492f3633d14eea31c4ac	{"question":"decae69077329ad1b746ad27f260cd7d","ts":"1795504691.524490","message":"06d8f9a76a19f3e015bd6ae6fbb0b2024434a308a8bf47d7961b73f7d4cb24f4"}
T0LOCAL	17	2026-11-24 07:18:11.678428+00	T0LOCAL:C0OPS:1795504691.635052		planned	U0ADA	83580081bf02397de2954d37d7ca6be3ddd97d45d567c6d1f9355354f70c3d3d	{"turn":1,"first":1,"last":1}
T0LOCAL	18	2026-11-24 07:18:11.705868+00	T0LOCAL:C0OPS:1795504691.635052		planned	U0ADA	011f135f6d89180502511baa9d640c4f39ca44ce54bf1745243ec5e49562324c	{"turn":1,"first":2,"last":2}
T0LOCAL	19	2026-11-24 07:18:11.70997+00	T0LOCAL:C0OPS:1795504691.635052		planned	U0ADA	c0f096fab46a3b4b8e4e60dcfe290d10950497d110082944c6b901f793a77263	{"turn":1,"first":3,"last":3}
T0LOCAL	20	2026-11-24 07:18:11.719944+00	T0LOCAL:C0OPS:1795504691.635052		planned	U0ADA	607cd4987f75898279a51b92206a4cba946c3363abde40b41ee90f4a59bf371c	{"turn":1,"first":4,"last":6}
T0LOCAL	21	2026-11-24 07:18:11.726486+00	T0LOCAL:C0OPS:1795504691.635052		planned	U0ADA	c1d2ec4e3db2a12da34cc6836c4b7125ec3b76870a99f8e1e869711d864df789	{"turn":1,"first":7,"last":7}
T0LOCAL	22	2026-11-24 07:18:11.734116+00	T0LOCAL:C0OPS:1795504691.635052	tell-0	asked	U0ADA	d00661b585fbb7e40442b8f84e1fa92a6a20d1ccc83642123ad0e8242af15976	{"question":"007be98f1670296581c7ce6668ecfcf7","kind":"approve","tool":"slack_post_message","policy":"690dae6a94012ced"}
T0LOCAL	23	2026-11-24 07:18:11.735219+00	T0LOCAL:C0OPS:1795504691.635052	tell-2	asked	U0ADA	bc70b056a322d79852175b72391dae23defcf0f41d135dc5fc52cda9a8cabd82	{"question":"adf7bdcbd22dbcab1cff0ce4fcccb8c1","kind":"approve","tool":"slack_post_message","policy":"690dae6a94012ced"}
T0LOCAL	24	2026-11-24 07:18:12.626354+00	T0LOCAL:C0OPS:1795504691.635052	tell-0	posted	\N	d00661b585fbb7e40442b8f84e1fa92a6a20d1ccc83642123ad0e8242af15976	{"question":"007be98f1670296581c7ce6668ecfcf7","card":"007be98f1670296581c7ce6668ecfcf7"}
T0LOCAL	25	2026-11-24 07:18:12.626797+00	T0LOCAL:C0OPS:1795504691.635052	tell-2	posted	\N	bc70b056a322d79852175b72391dae23defcf0f41d135dc5fc52cda9a8cabd82	{"question":"adf7bdcbd22dbcab1cff0ce4fcccb8c1","card":"007be98f1670296581c7ce6668ecfcf7"}
T0LOCAL	26	2026-11-24 07:18:13.7096+00	T0LOCAL:C0OPS:1795504691.635052	tell-0	posted	\N	d00661b585fbb7e40442b8f84e1fa92a6a20d1ccc83642123ad0e8242af15976	{"question":"007be98f1670296581c7ce6668ecfcf7","ts":"1795504693.707360","message":"b8dc2eb48f1bec6f31120bcea54557a9d59c457a23599fef8c930e84a9e18481"}
T0LOCAL	27	2026-11-24 07:18:13.742377+00	T0LOCAL:C0OPS:1795504691.635052	tell-0	decided	U0GRACE	d00661b585fbb7e40442b8f84e1fa92a6a20d1ccc83642123ad0e8242af15976	{"question":"007be98f1670296581c7ce6668ecfcf7","decision":"approved","place":"C0OPS"}
T0LOCAL	28	2026-11-24 07:18:13.780168+00	T0LOCAL:C0OPS:1795504691.635052	tell-0	started	\N	d00661b585fbb7e40442b8f84e1fa92a6a20d1ccc83642123ad0e8242af15976	{"attempt":1,"tool":"slack_post_message"}
T0LOCAL	29	2026-11-24 07:18:13.785712+00	T0LOCAL:C0OPS:1795504691.635052	tell-0	finished	\N	d00661b585fbb7e40442b8f84e1fa92a6a20d1ccc83642123ad0e8242af15976	{"attempt":1,"state":"succeeded"}
T0LOCAL	30	2026-11-24 07:18:13.905549+00	T0LOCAL:C0OPS:1795504693.866916		planned	U0ADA	1c07211ea15057f23b7193a8d59fca5c05deef50fe70934e690a4ec36afe3ff9	{"turn":1,"first":1,"last":1}
T0LOCAL	31	2026-11-24 07:18:13.91855+00	T0LOCAL:C0OPS:1795504693.866916		planned	U0ADA	ee1192787eece420fc514994654fd5d97a60f1cc1cedbd6790021741a4373916	{"turn":1,"first":2,"last":2}
T0LOCAL	32	2026-11-24 07:18:13.932354+00	T0LOCAL:C0OPS:1795504693.866916	tell	asked	U0ADA	0224c76977d9bc0ca19a3b6a114e885a0fa72586f4d3002ca4ac1ddeac46e784	{"question":"87f0022af277a56a354634c25cae059c","kind":"approve","tool":"slack_post_message","policy":"690dae6a94012ced"}
T0LOCAL	33	2026-11-24 07:18:13.937463+00	T0LOCAL:C0OPS:1795504693.866916		planned	U0ADA	ba26e6f5d605ea34180fc702834a9a2a0440d683e210837302db206745a65f65	{"turn":1,"first":3,"last":3}
T0LOCAL	34	2026-11-24 07:18:15.889334+00	T0LOCAL:C0OPS:1795504693.866916	tell	posted	\N	0224c76977d9bc0ca19a3b6a114e885a0fa72586f4d3002ca4ac1ddeac46e784	{"question":"87f0022af277a56a354634c25cae059c","ts":"1795504695.887214","message":"8ba6180074b212db322c9c60105a0efbcd05a011b217745c854c5a67b20587ea"}
T0LOCAL	35	2026-11-24 07:18:15.907842+00	T0LOCAL:C0OPS:1795504693.866916	tell	decided	U0GRACE	0224c76977d9bc0ca19a3b6a114e885a0fa72586f4d3002ca4ac1ddeac46e784	{"question":"87f0022af277a56a354634c25cae059c","decision":"approved","place":"C0OPS"}
T0LOCAL	36	2026-11-24 07:18:15.941534+00	T0LOCAL:C0OPS:1795504693.866916	tell	started	\N	0224c76977d9bc0ca19a3b6a114e885a0fa72586f4d3002ca4ac1ddeac46e784	{"attempt":1,"tool":"slack_post_message"}
T0LOCAL	37	2026-11-24 07:18:18.505407+00	T0LOCAL:C0OPS:1795504693.866916	tell	asked	U0ADA	0224c76977d9bc0ca19a3b6a114e885a0fa72586f4d3002ca4ac1ddeac46e784	{"question":"533ae8087022e60c354634c25cae059c","kind":"unknown","tool":"slack_post_message","policy":"690dae6a94012ced"}
T0LOCAL	38	2026-11-24 07:18:18.538776+00	T0LOCAL:C0OPS:1795504693.866916	tell	posted	\N	0224c76977d9bc0ca19a3b6a114e885a0fa72586f4d3002ca4ac1ddeac46e784	{"question":"533ae8087022e60c354634c25cae059c","ts":"1795504698.533345","message":"a73d75dd7ddcf16f829b66ccc598aba07b88df85738e27965b7e2cd456916be5"}
T0LOCAL	39	2026-11-24 07:18:20.214662+00	T0LOCAL:C0OPS:1795504698.799727		planned	U0ADA	88bb43fd8d74220fdb4058c834e4a613f1f3276b213c06c0a7a81411441e66f7	{"turn":1,"first":1,"last":1}
T0LOCAL	40	2026-11-24 07:18:20.232238+00	T0LOCAL:C0OPS:1795504698.799727		planned	U0ADA	e635d1222183241466cda3264b306bdcb41ddfe342eb95b0002dc6967056b25c	{"turn":1,"first":2,"last":2}
T0LOCAL	41	2026-11-24 07:18:20.258206+00	T0LOCAL:C0OPS:1795504698.799727		asked	U0ADA	0f934454ea724d715151ba94f9d78298c45d7c3edefc7c581161f81b6cb449c5	{"question":"8183b95b489aba34222f53fbc5444aa6","kind":"budget","tool":"budget"}
T0LOCAL	42	2026-11-24 07:18:20.300334+00	T0LOCAL:C0OPS:1795504698.799727		posted	\N	0f934454ea724d715151ba94f9d78298c45d7c3edefc7c581161f81b6cb449c5	{"question":"8183b95b489aba34222f53fbc5444aa6","ts":"1795504700.295004","message":"f06380af5e38d3ea1bcf93ccbbe6aad86f765b636561f850b1a2c2a65a89240d"}
T0LOCAL	43	2026-11-24 07:18:22.754489+00	T0LOCAL:C0OPS:1795504700.566678		planned	U0ADA	09b0a94520f80d089c608ad606c3ec49b67eb8beaec05e4056f129f7aa6de345	{"turn":1,"first":1,"last":1}
T0LOCAL	44	2026-11-24 07:18:22.829967+00	T0LOCAL:C0OPS:1795504700.566678	count	called	\N	dfa563f0a8896a81b1d9dfedef4f0864cd63252f15493de8ed84eb0416ba6954	{"attempt":1,"kind":"error","calls":[{"tool":"slack_read_channel","ok":true}]}
\.


--
-- Data for Name: audit_heads; Type: TABLE DATA; Schema: public; Owner: -
--

COPY public.audit_heads (tenant, seq, hash, sealed_seq, sealed_at) FROM stdin;
T0LOCAL	44	e69b081654d389d02be9a7b35cde744fcaa1310900d53f808b4777da00e64cf2	0	\N
\.


--
-- Data for Name: audit_links; Type: TABLE DATA; Schema: public; Owner: -
--

COPY public.audit_links (tenant, seq, entry, person, hash) FROM stdin;
T0LOCAL	1	1	dc3d3be019c4b896e23ece66e913c2018506c440c3388501b80630f9c0dbf34d	def1e27fa66e0dbc0df8da6ba59e57a897aeaed7343fed1860f4dc21feab6040
T0LOCAL	2	2	dc3d3be019c4b896e23ece66e913c2018506c440c3388501b80630f9c0dbf34d	2b09d26563a516c0a883cbe711a28c6030a5b3d3ce0fd5b20139b4677136bf08
T0LOCAL	3	3	dc3d3be019c4b896e23ece66e913c2018506c440c3388501b80630f9c0dbf34d	1530f46324693c5dcfe62ebdb0e5ae9146e4e5465f13e0b3c72ce05ea2cba488
T0LOCAL	4	4	dc3d3be019c4b896e23ece66e913c2018506c440c3388501b80630f9c0dbf34d	1da1e9075f8cccf228e786ff07a9e50355988c2d28e22abadf8a280324ea8888
T0LOCAL	5	5	dc3d3be019c4b896e23ece66e913c2018506c440c3388501b80630f9c0dbf34d	730c48d33f9d120f2125bdc0e95b00550882f529e258354e6df74e4b25441f26
T0LOCAL	6	6	dc3d3be019c4b896e23ece66e913c2018506c440c3388501b80630f9c0dbf34d	fd0d4fd96dcd32a08a8236e99153c2a86697f0c7fd38c54f6a7cd78dcdc84ae3
T0LOCAL	7	7	\N	6a9844b2262ea0c5bb14f67f54e18a30efc6b75de36113efbff8d71f9bdafad5
T0LOCAL	8	8	dc3d3be019c4b896e23ece66e913c2018506c440c3388501b80630f9c0dbf34d	24aafbcb5d63ba02364a04d8cac2b88e4df53504f7302edfa42bf176a16a0e71
T0LOCAL	9	9	dc3d3be019c4b896e23ece66e913c2018506c440c3388501b80630f9c0dbf34d	5db74724c8475740093b61f20d830cbea10028ccbf5bbbdc79bfbdf0c5fa6977
T0LOCAL	10	10	dc3d3be019c4b896e23ece66e913c2018506c440c3388501b80630f9c0dbf34d	d03fd56c36f4b3e04b6ae4fb31e782870dd2316904977986a44fe844d6782fb0
T0LOCAL	11	11	dc3d3be019c4b896e23ece66e913c2018506c440c3388501b80630f9c0dbf34d	de0351f8cbbe16e5436a2d6e1e015c534e68ea56e14d1c27a6cc99213ced559c
T0LOCAL	12	12	dc3d3be019c4b896e23ece66e913c2018506c440c3388501b80630f9c0dbf34d	8231645d6912b95273bc5076b336e1fdd84e01365cacf97ae38ca23f8f50bc07
T0LOCAL	13	13	\N	6c1d555240aad77481732d358d5baa77a63d20e0c53f08206d1b7e5d5412d29f
T0LOCAL	14	14	dc3d3be019c4b896e23ece66e913c2018506c440c3388501b80630f9c0dbf34d	1c5e454a78ee3a4c7867f110ca36e76c0591f4475e62b2c7c9395af1ece29ebc
T0LOCAL	15	15	dc3d3be019c4b896e23ece66e913c2018506c440c3388501b80630f9c0dbf34d	843e7c4fa00448feece79bf28e780537bcebecf16e20cfcf8fa0830620e0d366
T0LOCAL	16	16	\N	2965ba0c7d9fa829cd38493ac1ef108555d0200ca851905f6b2b3810519c1a19
T0LOCAL	17	17	dc3d3be019c4b896e23ece66e913c2018506c440c3388501b80630f9c0dbf34d	90b9a3ecd9971aee37f351a4f2d99be0d0eadad5e92786ba9ae0ce347e34093f
T0LOCAL	18	18	dc3d3be019c4b896e23ece66e913c2018506c440c3388501b80630f9c0dbf34d	8eddced7e6c7de850153e7c90c50b7ed38f0966261b941573876566ff3bdebd6
T0LOCAL	19	19	dc3d3be019c4b896e23ece66e913c2018506c440c3388501b80630f9c0dbf34d	ba7b2eee901051136d51249587de47ae6eff1e5aac5cf061e0bc4690dd6e3a2c
T0LOCAL	20	20	dc3d3be019c4b896e23ece66e913c2018506c440c3388501b80630f9c0dbf34d	06e364bcffe2d42e94ec4ec209d9acd0c6a691692beed3e50c273877ab683100
T0LOCAL	21	21	dc3d3be019c4b896e23ece66e913c2018506c440c3388501b80630f9c0dbf34d	67a94b5c98283aa516534683a9d6a08afa993883cd8963997452f6b6fb46f5e6
T0LOCAL	22	22	dc3d3be019c4b896e23ece66e913c2018506c440c3388501b80630f9c0dbf34d	5c227eece98224498f6a8b6f43d9346a939f6cfb70f108432db366286ce984d2
T0LOCAL	23	23	dc3d3be019c4b896e23ece66e913c2018506c440c3388501b80630f9c0dbf34d	30e082372d303feae90678a389c018c4f18999e3d0045eaea18eb8441afc420c
T0LOCAL	24	24	\N	c711ab7d81be4ba1d614694df58a3a5feab8c86457dbcfb05363efed08ce01ee
T0LOCAL	25	25	\N	860cdc3e727e5530389efcd19f35c4e42c75f947b0467258e428cfd64c66e674
T0LOCAL	26	26	\N	616d19e78c28bf316f46d9eccac22771b260a193f03d605e82384f84744adbc4
T0LOCAL	27	27	f1efb7ee580cec97187d732d2a108dcf14f64c1da93c67846113eb48f978ba84	64cb4dfd96da14a94aa62373ecb0993c6ec1e1f2084be9dec456c52cb6ced6f1
T0LOCAL	28	28	\N	60be727e35c79d7faeb39a4f658257bf9264a744dbb1f2a16b27a84d23bd64ad
T0LOCAL	29	29	\N	0e53609de93978c1e4c9b6ecfaaa70642b03b7edde83fafb656c513cbce5a4ca
T0LOCAL	30	30	dc3d3be019c4b896e23ece66e913c2018506c440c3388501b80630f9c0dbf34d	d3812506d954ce63012258fcac4d940a96a26e207ec1826489763c96f132e1a1
T0LOCAL	31	31	dc3d3be019c4b896e23ece66e913c2018506c440c3388501b80630f9c0dbf34d	e12602489cca5dc16429c0240bc82ddf95821bbff0b280858726fd585556f83f
T0LOCAL	32	32	dc3d3be019c4b896e23ece66e913c2018506c440c3388501b80630f9c0dbf34d	b16aa10ff553ff5ea27a7473b3dc3e6dc7451ab4526b587fcad4db2707f6a404
T0LOCAL	33	33	dc3d3be019c4b896e23ece66e913c2018506c440c3388501b80630f9c0dbf34d	0d297f046b1fd888aa56a6046ba1dc5b9547976b3e363f4f13ed00d143b998f0
T0LOCAL	34	34	\N	f7ab7515bc1628bd90f741f57a68fcc0e19b48d8b4eec357001f387f16bf1dde
T0LOCAL	35	35	f1efb7ee580cec97187d732d2a108dcf14f64c1da93c67846113eb48f978ba84	888a5585efcd110a63c8429dbaa14a5b6ec74f1eb1b45619838a3ec98687079d
T0LOCAL	36	36	\N	fc39427ee6f7a407bc50bcff8c235bb68ccdf7c19e10d1d8391d5e3a74eac028
T0LOCAL	37	37	dc3d3be019c4b896e23ece66e913c2018506c440c3388501b80630f9c0dbf34d	d1dbb6a8f047236aad520f2c5564e02bd9105cd37c27e5254b09c4ecf49cc7a7
T0LOCAL	38	38	\N	dd604475263886da8276480b918168d3fd8590a6529a6b2dfbb7d449906d5fba
T0LOCAL	39	39	dc3d3be019c4b896e23ece66e913c2018506c440c3388501b80630f9c0dbf34d	a1b4838fbf2942a8645ce4f2a1682b00858cdc98d950d2127d8a8b0ee7241235
T0LOCAL	40	40	dc3d3be019c4b896e23ece66e913c2018506c440c3388501b80630f9c0dbf34d	b3870033f33df118e59d197296402815b19d7401ac2c779ce56d16191053badd
T0LOCAL	41	41	dc3d3be019c4b896e23ece66e913c2018506c440c3388501b80630f9c0dbf34d	09eea518efeec0088ecd996a9b7f8e98c0faabf9887ab5629c2c9502aa7c3d87
T0LOCAL	42	42	\N	61273fe1f4256415b9611455e515221a8670c55d32f2829d6c7dc940179242b5
T0LOCAL	43	43	dc3d3be019c4b896e23ece66e913c2018506c440c3388501b80630f9c0dbf34d	fc31f8c0b9fda5bfd7ed3795984c0f4734973950850d59acac2c5f739c0ad205
T0LOCAL	44	44	\N	e69b081654d389d02be9a7b35cde744fcaa1310900d53f808b4777da00e64cf2
\.


--
-- Data for Name: audit_people; Type: TABLE DATA; Schema: public; Owner: -
--

COPY public.audit_people (tenant, person, salt) FROM stdin;
T0LOCAL	U0ADA	6f626a2e60f44a1799533a0b97114261730b55943e1745e098f438eae4c11edb
T0LOCAL	U0GRACE	86c058cec1bf4aa092e12df68106d4d7a75f1353039f4c91a2237e8e0bb464cc
\.


--
-- Data for Name: checkpoint_blobs; Type: TABLE DATA; Schema: public; Owner: -
--

COPY public.checkpoint_blobs (thread_id, checkpoint_ns, channel, version, type, blob) FROM stdin;
T0LOCAL:C0OPS:1795504687.867791		__start__	00000000000000000000000000000001.0.18541036352357743	msgpack	\\x82a47475726e01a6726f756e647300
T0LOCAL:C0OPS:1795504689.362036		__start__	00000000000000000000000000000001.0.009036305858240778	msgpack	\\x82a47475726e01a6726f756e647300
T0LOCAL:C0OPS:1795504689.362036		results	00000000000000000000000000000003.0.10778854713228847	msgpack	\\x81a56c6f6f6b3082a57374617465a9737563636565646564a576616c756583a76368616e6e656c82a26964a9433047454e4552414ca46e616d65a767656e6572616ca86d657373616765739184a27473b1313739353530343638372e383433393238a26174b9323032362d31312d32345430373a31383a30372b30303a3030a6617574686f7282a26964a55530414441a46e616d65ac416461204c6f76656c616365a474657874a7726f756e642d30a97472756e6361746564c2
T0LOCAL:C0OPS:1795504689.362036		results	00000000000000000000000000000005.0.2711537308580051	msgpack	\\x82a56c6f6f6b3082a57374617465a9737563636565646564a576616c756583a76368616e6e656c82a26964a9433047454e4552414ca46e616d65a767656e6572616ca86d657373616765739184a27473b1313739353530343638372e383433393238a26174b9323032362d31312d32345430373a31383a30372b30303a3030a6617574686f7282a26964a55530414441a46e616d65ac416461204c6f76656c616365a474657874a7726f756e642d30a97472756e6361746564c2a56c6f6f6b3182a57374617465a9737563636565646564a576616c756583a76368616e6e656c82a26964a9433047454e4552414ca46e616d65a767656e6572616ca86d657373616765739184a27473b1313739353530343638372e383434333631a26174b9323032362d31312d32345430373a31383a30372b30303a3030a6617574686f7282a26964a55530414441a46e616d65ac416461204c6f76656c616365a474657874a7726f756e642d31a97472756e6361746564c2
T0LOCAL:C0OPS:1795504689.362036		results	00000000000000000000000000000007.0.05340418991526652	msgpack	\\x83a56c6f6f6b3082a57374617465a9737563636565646564a576616c756583a76368616e6e656c82a26964a9433047454e4552414ca46e616d65a767656e6572616ca86d657373616765739184a27473b1313739353530343638372e383433393238a26174b9323032362d31312d32345430373a31383a30372b30303a3030a6617574686f7282a26964a55530414441a46e616d65ac416461204c6f76656c616365a474657874a7726f756e642d30a97472756e6361746564c2a56c6f6f6b3182a57374617465a9737563636565646564a576616c756583a76368616e6e656c82a26964a9433047454e4552414ca46e616d65a767656e6572616ca86d657373616765739184a27473b1313739353530343638372e383434333631a26174b9323032362d31312d32345430373a31383a30372b30303a3030a6617574686f7282a26964a55530414441a46e616d65ac416461204c6f76656c616365a474657874a7726f756e642d31a97472756e6361746564c2a56c6f6f6b3282a57374617465a9737563636565646564a576616c756583a76368616e6e656c82a26964a9433047454e4552414ca46e616d65a767656e6572616ca86d657373616765739184a27473b1313739353530343638372e383434383037a26174b9323032362d31312d32345430373a31383a30372b30303a3030a6617574686f7282a26964a55530414441a46e616d65ac416461204c6f76656c616365a474657874a7726f756e642d32a97472756e6361746564c2
T0LOCAL:C0OPS:1795504689.362036		results	00000000000000000000000000000009.0.8460808327015874	msgpack	\\x84a56c6f6f6b3082a57374617465a9737563636565646564a576616c756583a76368616e6e656c82a26964a9433047454e4552414ca46e616d65a767656e6572616ca86d657373616765739184a27473b1313739353530343638372e383433393238a26174b9323032362d31312d32345430373a31383a30372b30303a3030a6617574686f7282a26964a55530414441a46e616d65ac416461204c6f76656c616365a474657874a7726f756e642d30a97472756e6361746564c2a56c6f6f6b3182a57374617465a9737563636565646564a576616c756583a76368616e6e656c82a26964a9433047454e4552414ca46e616d65a767656e6572616ca86d657373616765739184a27473b1313739353530343638372e383434333631a26174b9323032362d31312d32345430373a31383a30372b30303a3030a6617574686f7282a26964a55530414441a46e616d65ac416461204c6f76656c616365a474657874a7726f756e642d31a97472756e6361746564c2a56c6f6f6b3282a57374617465a9737563636565646564a576616c756583a76368616e6e656c82a26964a9433047454e4552414ca46e616d65a767656e6572616ca86d657373616765739184a27473b1313739353530343638372e383434383037a26174b9323032362d31312d32345430373a31383a30372b30303a3030a6617574686f7282a26964a55530414441a46e616d65ac416461204c6f76656c616365a474657874a7726f756e642d32a97472756e6361746564c2a56c6f6f6b3382a57374617465a9737563636565646564a576616c756583a76368616e6e656c82a26964a9433047454e4552414ca46e616d65a767656e6572616ca86d657373616765739184a27473b1313739353530343638372e383435313336a26174b9323032362d31312d32345430373a31383a30372b30303a3030a6617574686f7282a26964a55530414441a46e616d65ac416461204c6f76656c616365a474657874a7726f756e642d33a97472756e6361746564c2
T0LOCAL:C0OPS:1795504689.721295		__start__	00000000000000000000000000000001.0.42367573057857333	msgpack	\\x82a47475726e01a6726f756e647300
T0LOCAL:C0OPS:1795504689.721295		results	00000000000000000000000000000003.0.19508065208485548	msgpack	\\x81a46c6f6f6b82a57374617465a9737563636565646564a576616c756583a76368616e6e656c82a26964a9433047454e4552414ca46e616d65a767656e6572616ca86d657373616765739184a27473b1313739353530343638372e383435373435a26174b9323032362d31312d32345430373a31383a30372b30303a3030a6617574686f7282a26964a55530414441a46e616d65ac416461204c6f76656c616365a474657874a561736b6564a97472756e6361746564c2
T0LOCAL:C0OPS:1795504691.635052		__start__	00000000000000000000000000000001.0.38088890582169255	msgpack	\\x82a47475726e01a6726f756e647300
T0LOCAL:C0OPS:1795504693.866916		__start__	00000000000000000000000000000001.0.17717012763367546	msgpack	\\x82a47475726e01a6726f756e647300
T0LOCAL:C0OPS:1795504698.799727		__start__	00000000000000000000000000000001.0.5413177505568302	msgpack	\\x82a47475726e01a6726f756e647300
T0LOCAL:C0OPS:1795504700.566678		__start__	00000000000000000000000000000001.0.3250619405676356	msgpack	\\x82a47475726e01a6726f756e647300
\.


--
-- Data for Name: checkpoint_migrations; Type: TABLE DATA; Schema: public; Owner: -
--

COPY public.checkpoint_migrations (v) FROM stdin;
0
1
2
3
4
5
6
7
8
9
\.


--
-- Data for Name: checkpoint_writes; Type: TABLE DATA; Schema: public; Owner: -
--

COPY public.checkpoint_writes (thread_id, checkpoint_ns, checkpoint_id, task_id, idx, channel, type, blob, task_path) FROM stdin;
T0LOCAL:C0OPS:1795504687.867791		1f1e7d73-368b-6493-bfff-5dcf1f8cd79a	950c087f-5fe0-eeaf-f8a7-33037c344734	0	turn	msgpack	\\x01	~__pregel_pull, __start__
T0LOCAL:C0OPS:1795504687.867791		1f1e7d73-368b-6493-bfff-5dcf1f8cd79a	950c087f-5fe0-eeaf-f8a7-33037c344734	1	rounds	msgpack	\\x00	~__pregel_pull, __start__
T0LOCAL:C0OPS:1795504687.867791		1f1e7d73-368b-6493-bfff-5dcf1f8cd79a	950c087f-5fe0-eeaf-f8a7-33037c344734	2	branch:to:execute	null	\\x	~__pregel_pull, __start__
T0LOCAL:C0OPS:1795504687.867791		1f1e7d73-368d-609f-8000-81f9c6f973c9	970149b4-91ce-cf1d-d03c-7dfae465a4c1	0	__return__	msgpack	\\x82a57374617465a9737563636565646564a576616c756583a76368616e6e656c82a26964a9433047454e4552414ca46e616d65a767656e6572616ca86d657373616765739184a27473b1313739353530343638372e383430393030a26174b9323032362d31312d32345430373a31383a30372b30303a3030a6617574686f7282a26964a55530414441a46e616d65ac416461204c6f76656c616365a474657874a56669727374a97472756e6361746564c2	~__pregel_push, ~__pregel_pull, execute, 0000000000, 0000000001
T0LOCAL:C0OPS:1795504687.867791		1f1e7d73-368d-609f-8000-81f9c6f973c9	0a207711-7b2f-2cc9-83a6-a17f4f61c88f	0	__return__	msgpack	\\x82a57374617465a9737563636565646564a576616c756583a76368616e6e656c82a26964a9433047454e4552414ca46e616d65a767656e6572616ca86d657373616765739184a27473b1313739353530343638372e383431363833a26174b9323032362d31312d32345430373a31383a30372b30303a3030a6617574686f7282a26964a55530414441a46e616d65ac416461204c6f76656c616365a474657874a67365636f6e64a97472756e6361746564c2	~__pregel_push, ~__pregel_pull, execute, 0000000001, 0000000001
T0LOCAL:C0OPS:1795504687.867791		1f1e7d73-368d-609f-8000-81f9c6f973c9	8a4f7ba8-6a9b-bb27-2878-3bd5864e10cc	0	__return__	msgpack	\\x82a57374617465a9737563636565646564a576616c756583a76368616e6e656c82a26964a9433047454e4552414ca46e616d65a767656e6572616ca86d657373616765739184a27473b1313739353530343638372e383432313734a26174b9323032362d31312d32345430373a31383a30372b30303a3030a6617574686f7282a26964a55530414441a46e616d65ac416461204c6f76656c616365a474657874a57468697264a97472756e6361746564c2	~__pregel_push, ~__pregel_pull, execute, 0000000002, 0000000001
T0LOCAL:C0OPS:1795504687.867791		1f1e7d73-368d-609f-8000-81f9c6f973c9	eddbb696-a3b6-cc67-2faf-c52ce869203d	-3	__interrupt__	msgpack	\\x91c7af0293af6c616e6767726170682e7479706573a9496e7465727275707483a576616c756584a87175657374696f6ed9203933346437636439313539653130623630356230353533646239653138323239a46e6f6465a474656c6ca46b696e64a7617070726f7665a57469746c65ad5469746c65206f662074656c6ca26964d9203933346437636439313539653130623630356230353533646239653138323239af726573706f6e73655f736368656d61c0	~__pregel_push, ~__pregel_pull, execute, 0000000003, 0000000001
T0LOCAL:C0OPS:1795504687.867791		1f1e7d73-368d-609f-8000-81f9c6f973c9	b7106466-9162-30bb-5d4e-4d6e8165da9b	-3	__interrupt__	msgpack	\\x91c7af0293af6c616e6767726170682e7479706573a9496e7465727275707483a576616c756584a87175657374696f6ed9203933346437636439313539653130623630356230353533646239653138323239a46e6f6465a474656c6ca46b696e64a7617070726f7665a57469746c65ad5469746c65206f662074656c6ca26964d9203933346437636439313539653130623630356230353533646239653138323239af726573706f6e73655f736368656d61c0	~__pregel_pull, execute
T0LOCAL:C0OPS:1795504689.362036		1f1e7d73-388a-6740-bfff-bc1ec96912bb	e5f20ab6-bedb-031e-b66c-be8021086c3e	0	turn	msgpack	\\x01	~__pregel_pull, __start__
T0LOCAL:C0OPS:1795504689.362036		1f1e7d73-388a-6740-bfff-bc1ec96912bb	e5f20ab6-bedb-031e-b66c-be8021086c3e	1	rounds	msgpack	\\x00	~__pregel_pull, __start__
T0LOCAL:C0OPS:1795504689.362036		1f1e7d73-388a-6740-bfff-bc1ec96912bb	e5f20ab6-bedb-031e-b66c-be8021086c3e	2	branch:to:execute	null	\\x	~__pregel_pull, __start__
T0LOCAL:C0OPS:1795504689.362036		1f1e7d73-388b-64f5-8000-4efc3e34cf4a	54fa4af4-e09e-4bc7-e668-92a06b8699b5	0	__return__	msgpack	\\x82a57374617465a9737563636565646564a576616c756583a76368616e6e656c82a26964a9433047454e4552414ca46e616d65a767656e6572616ca86d657373616765739184a27473b1313739353530343638372e383433393238a26174b9323032362d31312d32345430373a31383a30372b30303a3030a6617574686f7282a26964a55530414441a46e616d65ac416461204c6f76656c616365a474657874a7726f756e642d30a97472756e6361746564c2	~__pregel_push, ~__pregel_pull, execute, 0000000000, 0000000001
T0LOCAL:C0OPS:1795504689.362036		1f1e7d73-388b-64f5-8000-4efc3e34cf4a	642ddb61-26d1-943b-737f-7466a4c48150	0	results	msgpack	\\x81a56c6f6f6b3082a57374617465a9737563636565646564a576616c756583a76368616e6e656c82a26964a9433047454e4552414ca46e616d65a767656e6572616ca86d657373616765739184a27473b1313739353530343638372e383433393238a26174b9323032362d31312d32345430373a31383a30372b30303a3030a6617574686f7282a26964a55530414441a46e616d65ac416461204c6f76656c616365a474657874a7726f756e642d30a97472756e6361746564c2	~__pregel_pull, execute
T0LOCAL:C0OPS:1795504689.362036		1f1e7d73-388b-64f5-8000-4efc3e34cf4a	642ddb61-26d1-943b-737f-7466a4c48150	1	seq	msgpack	\\x01	~__pregel_pull, execute
T0LOCAL:C0OPS:1795504689.362036		1f1e7d73-388b-64f5-8000-4efc3e34cf4a	642ddb61-26d1-943b-737f-7466a4c48150	2	branch:to:reflect	null	\\x	~__pregel_pull, execute
T0LOCAL:C0OPS:1795504689.362036		1f1e7d73-38e9-6282-8001-e437d25ea0ed	e65782ec-2491-fc5b-b46a-088528470ba4	0	rounds	msgpack	\\x01	~__pregel_pull, reflect
T0LOCAL:C0OPS:1795504689.362036		1f1e7d73-38e9-6282-8001-e437d25ea0ed	e65782ec-2491-fc5b-b46a-088528470ba4	1	branch:to:execute	null	\\x	~__pregel_pull, reflect
T0LOCAL:C0OPS:1795504689.362036		1f1e7d73-392a-6cff-8002-751b99065253	a8cb7c8f-a8c1-206b-2230-528ed4414563	0	__return__	msgpack	\\x82a57374617465a9737563636565646564a576616c756583a76368616e6e656c82a26964a9433047454e4552414ca46e616d65a767656e6572616ca86d657373616765739184a27473b1313739353530343638372e383434333631a26174b9323032362d31312d32345430373a31383a30372b30303a3030a6617574686f7282a26964a55530414441a46e616d65ac416461204c6f76656c616365a474657874a7726f756e642d31a97472756e6361746564c2	~__pregel_push, ~__pregel_pull, execute, 0000000000, 0000000001
T0LOCAL:C0OPS:1795504689.362036		1f1e7d73-392a-6cff-8002-751b99065253	59d2ef13-40b0-6ae7-7cd8-497fa9039c84	0	results	msgpack	\\x81a56c6f6f6b3182a57374617465a9737563636565646564a576616c756583a76368616e6e656c82a26964a9433047454e4552414ca46e616d65a767656e6572616ca86d657373616765739184a27473b1313739353530343638372e383434333631a26174b9323032362d31312d32345430373a31383a30372b30303a3030a6617574686f7282a26964a55530414441a46e616d65ac416461204c6f76656c616365a474657874a7726f756e642d31a97472756e6361746564c2	~__pregel_pull, execute
T0LOCAL:C0OPS:1795504689.362036		1f1e7d73-392a-6cff-8002-751b99065253	59d2ef13-40b0-6ae7-7cd8-497fa9039c84	1	seq	msgpack	\\x02	~__pregel_pull, execute
T0LOCAL:C0OPS:1795504689.362036		1f1e7d73-392a-6cff-8002-751b99065253	59d2ef13-40b0-6ae7-7cd8-497fa9039c84	2	branch:to:reflect	null	\\x	~__pregel_pull, execute
T0LOCAL:C0OPS:1795504689.362036		1f1e7d73-3956-6c21-8003-1760e05341bb	7539edc9-f914-5b52-8094-6f7f28483d3f	0	rounds	msgpack	\\x02	~__pregel_pull, reflect
T0LOCAL:C0OPS:1795504689.362036		1f1e7d73-3956-6c21-8003-1760e05341bb	7539edc9-f914-5b52-8094-6f7f28483d3f	1	branch:to:execute	null	\\x	~__pregel_pull, reflect
T0LOCAL:C0OPS:1795504689.362036		1f1e7d73-39a6-62cf-8004-79c04a6c77a3	42c9104f-4d29-8147-b50c-d662520d9009	0	__return__	msgpack	\\x82a57374617465a9737563636565646564a576616c756583a76368616e6e656c82a26964a9433047454e4552414ca46e616d65a767656e6572616ca86d657373616765739184a27473b1313739353530343638372e383434383037a26174b9323032362d31312d32345430373a31383a30372b30303a3030a6617574686f7282a26964a55530414441a46e616d65ac416461204c6f76656c616365a474657874a7726f756e642d32a97472756e6361746564c2	~__pregel_push, ~__pregel_pull, execute, 0000000000, 0000000001
T0LOCAL:C0OPS:1795504689.362036		1f1e7d73-39a6-62cf-8004-79c04a6c77a3	d96d2811-3a0b-dc3d-d73c-c13043b16a7d	0	results	msgpack	\\x81a56c6f6f6b3282a57374617465a9737563636565646564a576616c756583a76368616e6e656c82a26964a9433047454e4552414ca46e616d65a767656e6572616ca86d657373616765739184a27473b1313739353530343638372e383434383037a26174b9323032362d31312d32345430373a31383a30372b30303a3030a6617574686f7282a26964a55530414441a46e616d65ac416461204c6f76656c616365a474657874a7726f756e642d32a97472756e6361746564c2	~__pregel_pull, execute
T0LOCAL:C0OPS:1795504689.362036		1f1e7d73-39a6-62cf-8004-79c04a6c77a3	d96d2811-3a0b-dc3d-d73c-c13043b16a7d	1	seq	msgpack	\\x03	~__pregel_pull, execute
T0LOCAL:C0OPS:1795504689.362036		1f1e7d73-39a6-62cf-8004-79c04a6c77a3	d96d2811-3a0b-dc3d-d73c-c13043b16a7d	2	branch:to:reflect	null	\\x	~__pregel_pull, execute
T0LOCAL:C0OPS:1795504689.362036		1f1e7d73-39d4-6c88-8005-c14eeacef71a	c0e965da-d072-1e50-0207-a6a9c4e12dd4	0	rounds	msgpack	\\x03	~__pregel_pull, reflect
T0LOCAL:C0OPS:1795504689.362036		1f1e7d73-39d4-6c88-8005-c14eeacef71a	c0e965da-d072-1e50-0207-a6a9c4e12dd4	1	branch:to:execute	null	\\x	~__pregel_pull, reflect
T0LOCAL:C0OPS:1795504689.362036		1f1e7d73-3a11-6b61-8006-70d045584254	602aef12-9f40-5f67-7d5b-666b52c28775	0	__return__	msgpack	\\x82a57374617465a9737563636565646564a576616c756583a76368616e6e656c82a26964a9433047454e4552414ca46e616d65a767656e6572616ca86d657373616765739184a27473b1313739353530343638372e383435313336a26174b9323032362d31312d32345430373a31383a30372b30303a3030a6617574686f7282a26964a55530414441a46e616d65ac416461204c6f76656c616365a474657874a7726f756e642d33a97472756e6361746564c2	~__pregel_push, ~__pregel_pull, execute, 0000000000, 0000000001
T0LOCAL:C0OPS:1795504689.362036		1f1e7d73-3a11-6b61-8006-70d045584254	f623b212-7069-a1b8-8ae1-b3ff41426510	0	results	msgpack	\\x81a56c6f6f6b3382a57374617465a9737563636565646564a576616c756583a76368616e6e656c82a26964a9433047454e4552414ca46e616d65a767656e6572616ca86d657373616765739184a27473b1313739353530343638372e383435313336a26174b9323032362d31312d32345430373a31383a30372b30303a3030a6617574686f7282a26964a55530414441a46e616d65ac416461204c6f76656c616365a474657874a7726f756e642d33a97472756e6361746564c2	~__pregel_pull, execute
T0LOCAL:C0OPS:1795504689.362036		1f1e7d73-3a11-6b61-8006-70d045584254	f623b212-7069-a1b8-8ae1-b3ff41426510	1	seq	msgpack	\\x04	~__pregel_pull, execute
T0LOCAL:C0OPS:1795504689.362036		1f1e7d73-3a11-6b61-8006-70d045584254	f623b212-7069-a1b8-8ae1-b3ff41426510	2	branch:to:reflect	null	\\x	~__pregel_pull, execute
T0LOCAL:C0OPS:1795504689.362036		1f1e7d73-3a4f-600e-8007-f25ea8f5faa0	45f1ac48-1b27-4ef6-4ad8-c13c2178987f	-3	__interrupt__	msgpack	\\x91c78a0293af6c616e6767726170682e7479706573a9496e7465727275707483a576616c756582a87175657374696f6ed9203137626461383532666438336461656334343165336335383661656161336631a46e6f6465a0a26964d9203137626461383532666438336461656334343165336335383661656161336631af726573706f6e73655f736368656d61c0	~__pregel_pull, reflect
T0LOCAL:C0OPS:1795504689.721295		1f1e7d73-3bf6-60c8-bfff-ed5f1c63b6c0	8b7e13a3-aa24-64a0-933f-a99079fefe0b	0	turn	msgpack	\\x01	~__pregel_pull, __start__
T0LOCAL:C0OPS:1795504689.721295		1f1e7d73-3bf6-60c8-bfff-ed5f1c63b6c0	8b7e13a3-aa24-64a0-933f-a99079fefe0b	1	rounds	msgpack	\\x00	~__pregel_pull, __start__
T0LOCAL:C0OPS:1795504689.721295		1f1e7d73-3bf6-60c8-bfff-ed5f1c63b6c0	8b7e13a3-aa24-64a0-933f-a99079fefe0b	2	branch:to:execute	null	\\x	~__pregel_pull, __start__
T0LOCAL:C0OPS:1795504689.721295		1f1e7d73-3bf6-6bea-8000-1819a28c298c	7c29edee-c6f9-5104-de26-cfba0937406c	0	__return__	msgpack	\\x82a57374617465a9737563636565646564a576616c756583a76368616e6e656c82a26964a9433047454e4552414ca46e616d65a767656e6572616ca86d657373616765739184a27473b1313739353530343638372e383435373435a26174b9323032362d31312d32345430373a31383a30372b30303a3030a6617574686f7282a26964a55530414441a46e616d65ac416461204c6f76656c616365a474657874a561736b6564a97472756e6361746564c2	~__pregel_push, ~__pregel_pull, execute, 0000000000, 0000000001
T0LOCAL:C0OPS:1795504689.721295		1f1e7d73-3bf6-6bea-8000-1819a28c298c	17d887ab-04a9-4557-f19a-c41923397a88	0	results	msgpack	\\x81a46c6f6f6b82a57374617465a9737563636565646564a576616c756583a76368616e6e656c82a26964a9433047454e4552414ca46e616d65a767656e6572616ca86d657373616765739184a27473b1313739353530343638372e383435373435a26174b9323032362d31312d32345430373a31383a30372b30303a3030a6617574686f7282a26964a55530414441a46e616d65ac416461204c6f76656c616365a474657874a561736b6564a97472756e6361746564c2	~__pregel_pull, execute
T0LOCAL:C0OPS:1795504689.721295		1f1e7d73-3bf6-6bea-8000-1819a28c298c	17d887ab-04a9-4557-f19a-c41923397a88	1	seq	msgpack	\\x01	~__pregel_pull, execute
T0LOCAL:C0OPS:1795504689.721295		1f1e7d73-3bf6-6bea-8000-1819a28c298c	17d887ab-04a9-4557-f19a-c41923397a88	2	branch:to:reflect	null	\\x	~__pregel_pull, execute
T0LOCAL:C0OPS:1795504689.721295		1f1e7d73-3c4a-613a-8001-879e40663242	9b4d8880-4f68-fadc-5284-70c1e678237f	-3	__interrupt__	msgpack	\\x91c78a0293af6c616e6767726170682e7479706573a9496e7465727275707483a576616c756582a87175657374696f6ed9206465636165363930373733323961643162373436616432376632363063643764a46e6f6465a0a26964d9206465636165363930373733323961643162373436616432376632363063643764af726573706f6e73655f736368656d61c0	~__pregel_pull, reflect
T0LOCAL:C0OPS:1795504691.635052		1f1e7d73-4e31-6905-bfff-96df4550ceaf	fb7d5f96-f96d-9b5d-89ff-5d2567ea69ff	0	turn	msgpack	\\x01	~__pregel_pull, __start__
T0LOCAL:C0OPS:1795504691.635052		1f1e7d73-4e31-6905-bfff-96df4550ceaf	fb7d5f96-f96d-9b5d-89ff-5d2567ea69ff	1	rounds	msgpack	\\x00	~__pregel_pull, __start__
T0LOCAL:C0OPS:1795504691.635052		1f1e7d73-4e31-6905-bfff-96df4550ceaf	fb7d5f96-f96d-9b5d-89ff-5d2567ea69ff	2	branch:to:execute	null	\\x	~__pregel_pull, __start__
T0LOCAL:C0OPS:1795504691.635052		1f1e7d73-4e32-665f-8000-95dd6f2b7aec	9b73d6c0-02c7-a516-1667-49ee112919ec	0	__return__	msgpack	\\x82a57374617465a9737563636565646564a576616c756581a5686f7374739382a46e616d65a161a4646f776ec382a46e616d65a162a4646f776ec282a46e616d65a163a4646f776ec3	~__pregel_push, ~__pregel_pull, execute, 0000000000, 0000000001
T0LOCAL:C0OPS:1795504691.635052		1f1e7d73-4e32-665f-8000-95dd6f2b7aec	e172da7c-0bff-5763-7784-5d68bae7a8f8	0	__return__	msgpack	\\x83a57374617465a7736b6970706564a762656361757365a466696e64a3776879b969747320636f6e646974696f6e20776173206e6f74206d6574	~__pregel_push, ~__pregel_pull, execute, 0000000004, 0000000001
T0LOCAL:C0OPS:1795504691.635052		1f1e7d73-4e32-665f-8000-95dd6f2b7aec	7d7c3848-424e-7441-86aa-dd2e787d0b74	-3	__interrupt__	msgpack	\\x91c7ba0293af6c616e6767726170682e7479706573a9496e7465727275707483a576616c756584a87175657374696f6ed9203030376265393866313637303239363538316337636536363638656366636637a46e6f6465a674656c6c2d30a46b696e64a7617070726f7665a57469746c65b65469746c65206f662074656c6c202831206f66203329a26964d9203030376265393866313637303239363538316337636536363638656366636637af726573706f6e73655f736368656d61c0	~__pregel_push, ~__pregel_pull, execute, 0000000003, 0000000001
T0LOCAL:C0OPS:1795504691.635052		1f1e7d73-4e32-665f-8000-95dd6f2b7aec	7d7c3848-424e-7441-86aa-dd2e787d0b74	0	__return__	msgpack	\\x82a57374617465a9737563636565646564a576616c756582a76368616e6e656cab4330494e434944454e5453a27473b1313739353530343639332e373833353231	~__pregel_push, ~__pregel_pull, execute, 0000000003, 0000000001
T0LOCAL:C0OPS:1795504691.635052		1f1e7d73-4e32-665f-8000-95dd6f2b7aec	5b771100-b93e-5433-2499-1f4a53422b05	-3	__interrupt__	msgpack	\\x91c7ba0293af6c616e6767726170682e7479706573a9496e7465727275707483a576616c756584a87175657374696f6ed9206164663762646362643232646263616231636666306365346663636362386331a46e6f6465a674656c6c2d32a46b696e64a7617070726f7665a57469746c65b65469746c65206f662074656c6c202833206f66203329a26964d9206164663762646362643232646263616231636666306365346663636362386331af726573706f6e73655f736368656d61c0	~__pregel_push, ~__pregel_pull, execute, 0000000005, 0000000001
T0LOCAL:C0OPS:1795504691.635052		1f1e7d73-4e32-665f-8000-95dd6f2b7aec	2fe45d89-8c3f-b3e8-641c-b0a6dd2ddf4f	-3	__interrupt__	msgpack	\\x91c7ba0293af6c616e6767726170682e7479706573a9496e7465727275707483a576616c756584a87175657374696f6ed9206164663762646362643232646263616231636666306365346663636362386331a46e6f6465a674656c6c2d32a46b696e64a7617070726f7665a57469746c65b65469746c65206f662074656c6c202833206f66203329a26964d9206164663762646362643232646263616231636666306365346663636362386331af726573706f6e73655f736368656d61c0	~__pregel_pull, execute
T0LOCAL:C0OPS:1795504693.866916		1f1e7d73-637f-6611-bfff-7d8054fe760a	ee572118-2199-c940-32e4-1fbe4a5fe9d7	0	turn	msgpack	\\x01	~__pregel_pull, __start__
T0LOCAL:C0OPS:1795504693.866916		1f1e7d73-637f-6611-bfff-7d8054fe760a	ee572118-2199-c940-32e4-1fbe4a5fe9d7	1	rounds	msgpack	\\x00	~__pregel_pull, __start__
T0LOCAL:C0OPS:1795504693.866916		1f1e7d73-637f-6611-bfff-7d8054fe760a	ee572118-2199-c940-32e4-1fbe4a5fe9d7	2	branch:to:execute	null	\\x	~__pregel_pull, __start__
T0LOCAL:C0OPS:1795504693.866916		1f1e7d73-6380-6130-8000-74fdf58e1297	b90ed4e6-3e1b-8841-6f50-f5bf66420d52	0	__return__	msgpack	\\x82a57374617465a9737563636565646564a576616c756583a76368616e6e656c82a26964a9433047454e4552414ca46e616d65a767656e6572616ca86d657373616765739184a27473b1313739353530343638372e383433313233a26174b9323032362d31312d32345430373a31383a30372b30303a3030a6617574686f7282a26964a55530414441a46e616d65ac416461204c6f76656c616365a474657874ae6265666f72652d756e6b6e6f776ea97472756e6361746564c2	~__pregel_push, ~__pregel_pull, execute, 0000000000, 0000000001
T0LOCAL:C0OPS:1795504693.866916		1f1e7d73-6380-6130-8000-74fdf58e1297	5462bfdf-b41d-ed67-9cb7-4e2fa48e136e	-3	__interrupt__	msgpack	\\x91c7af0293af6c616e6767726170682e7479706573a9496e7465727275707483a576616c756584a87175657374696f6ed9203533336165383038373032326536306333353436333463323563616530353963a46e6f6465a474656c6ca46b696e64a7756e6b6e6f776ea57469746c65ad5469746c65206f662074656c6ca26964d9203533336165383038373032326536306333353436333463323563616530353963af726573706f6e73655f736368656d61c0	~__pregel_push, ~__pregel_pull, execute, 0000000001, 0000000001
T0LOCAL:C0OPS:1795504693.866916		1f1e7d73-6380-6130-8000-74fdf58e1297	890bc7c0-6b74-375c-c74a-5a9d1d3e88f1	-3	__interrupt__	msgpack	\\x91c7af0293af6c616e6767726170682e7479706573a9496e7465727275707483a576616c756584a87175657374696f6ed9203533336165383038373032326536306333353436333463323563616530353963a46e6f6465a474656c6ca46b696e64a7756e6b6e6f776ea57469746c65ad5469746c65206f662074656c6ca26964d9203533336165383038373032326536306333353436333463323563616530353963af726573706f6e73655f736368656d61c0	~__pregel_pull, execute
T0LOCAL:C0OPS:1795504698.799727		1f1e7d73-9f53-6467-bfff-878824af7928	bea5c1d5-7911-996a-f760-683da2275e63	0	turn	msgpack	\\x01	~__pregel_pull, __start__
T0LOCAL:C0OPS:1795504698.799727		1f1e7d73-9f53-6467-bfff-878824af7928	bea5c1d5-7911-996a-f760-683da2275e63	1	rounds	msgpack	\\x00	~__pregel_pull, __start__
T0LOCAL:C0OPS:1795504698.799727		1f1e7d73-9f53-6467-bfff-878824af7928	bea5c1d5-7911-996a-f760-683da2275e63	2	branch:to:execute	null	\\x	~__pregel_pull, __start__
T0LOCAL:C0OPS:1795504698.799727		1f1e7d73-9f55-62a1-8000-ef8363b41f95	ccb71dcd-400f-bd4d-d803-7c72595872d2	0	__return__	msgpack	\\x82a57374617465a9737563636565646564a576616c756583a76368616e6e656c82a26964a9433047454e4552414ca46e616d65a767656e6572616ca86d657373616765739184a27473b1313739353530343638372e383436333938a26174b9323032362d31312d32345430373a31383a30372b30303a3030a6617574686f7282a26964a55530414441a46e616d65ac416461204c6f76656c616365a474657874a86275646765742d31a97472756e6361746564c2	~__pregel_push, ~__pregel_pull, execute, 0000000000, 0000000001
T0LOCAL:C0OPS:1795504698.799727		1f1e7d73-9f55-62a1-8000-ef8363b41f95	5976b11b-f908-8353-7bc7-f701ed5f9ffe	-3	__interrupt__	msgpack	\\x91c79d0293af6c616e6767726170682e7479706573a9496e7465727275707483a576616c756584a87175657374696f6ed9203831383362393562343839616261333432323266353366626335343434616136a46e6f6465a0a46b696e64a6627564676574a57469746c65a0a26964d9203831383362393562343839616261333432323266353366626335343434616136af726573706f6e73655f736368656d61c0	~__pregel_pull, execute
T0LOCAL:C0OPS:1795504700.566678		1f1e7d73-b733-688b-bfff-898c6c648e3a	abc781ee-1564-2934-9c50-d7de945387b6	0	turn	msgpack	\\x01	~__pregel_pull, __start__
T0LOCAL:C0OPS:1795504700.566678		1f1e7d73-b733-688b-bfff-898c6c648e3a	abc781ee-1564-2934-9c50-d7de945387b6	1	rounds	msgpack	\\x00	~__pregel_pull, __start__
T0LOCAL:C0OPS:1795504700.566678		1f1e7d73-b733-688b-bfff-898c6c648e3a	abc781ee-1564-2934-9c50-d7de945387b6	2	branch:to:execute	null	\\x	~__pregel_pull, __start__
\.


--
-- Data for Name: checkpoints; Type: TABLE DATA; Schema: public; Owner: -
--

COPY public.checkpoints (thread_id, checkpoint_ns, checkpoint_id, parent_checkpoint_id, type, checkpoint, metadata) FROM stdin;
T0LOCAL:C0OPS:1795504687.867791		1f1e7d73-368b-6493-bfff-5dcf1f8cd79a	\N	\N	{"v": 4, "id": "1f1e7d73-368b-6493-bfff-5dcf1f8cd79a", "ts": "2026-11-24T07:18:09.168084+00:00", "versions_seen": {}, "channel_values": {}, "channel_versions": {"__start__": "00000000000000000000000000000001.0.18541036352357743"}, "updated_channels": ["__start__"]}	{"step": -1, "source": "input", "parents": {}}
T0LOCAL:C0OPS:1795504687.867791		1f1e7d73-368d-609f-8000-81f9c6f973c9	1f1e7d73-368b-6493-bfff-5dcf1f8cd79a	\N	{"v": 4, "id": "1f1e7d73-368d-609f-8000-81f9c6f973c9", "ts": "2026-11-24T07:18:09.168804+00:00", "versions_seen": {"__start__": {"__start__": "00000000000000000000000000000001.0.18541036352357743"}}, "channel_values": {"turn": 1, "rounds": 0, "branch:to:execute": null}, "channel_versions": {"turn": "00000000000000000000000000000002.0.1415056277269623", "rounds": "00000000000000000000000000000002.0.1415056277269623", "__start__": "00000000000000000000000000000002.0.1415056277269623", "branch:to:execute": "00000000000000000000000000000002.0.1415056277269623"}, "updated_channels": ["branch:to:execute", "rounds", "turn"]}	{"step": 0, "source": "loop", "parents": {}}
T0LOCAL:C0OPS:1795504689.362036		1f1e7d73-388a-6740-bfff-bc1ec96912bb	\N	\N	{"v": 4, "id": "1f1e7d73-388a-6740-bfff-bc1ec96912bb", "ts": "2026-11-24T07:18:09.377461+00:00", "versions_seen": {}, "channel_values": {}, "channel_versions": {"__start__": "00000000000000000000000000000001.0.009036305858240778"}, "updated_channels": ["__start__"]}	{"step": -1, "source": "input", "parents": {}}
T0LOCAL:C0OPS:1795504689.362036		1f1e7d73-388b-64f5-8000-4efc3e34cf4a	1f1e7d73-388a-6740-bfff-bc1ec96912bb	\N	{"v": 4, "id": "1f1e7d73-388b-64f5-8000-4efc3e34cf4a", "ts": "2026-11-24T07:18:09.377811+00:00", "versions_seen": {"__start__": {"__start__": "00000000000000000000000000000001.0.009036305858240778"}}, "channel_values": {"turn": 1, "rounds": 0, "branch:to:execute": null}, "channel_versions": {"turn": "00000000000000000000000000000002.0.9562416345755431", "rounds": "00000000000000000000000000000002.0.9562416345755431", "__start__": "00000000000000000000000000000002.0.9562416345755431", "branch:to:execute": "00000000000000000000000000000002.0.9562416345755431"}, "updated_channels": ["branch:to:execute", "rounds", "turn"]}	{"step": 0, "source": "loop", "parents": {}}
T0LOCAL:C0OPS:1795504689.362036		1f1e7d73-38e9-6282-8001-e437d25ea0ed	1f1e7d73-388b-64f5-8000-4efc3e34cf4a	\N	{"v": 4, "id": "1f1e7d73-38e9-6282-8001-e437d25ea0ed", "ts": "2026-11-24T07:18:09.416245+00:00", "versions_seen": {"execute": {"branch:to:execute": "00000000000000000000000000000002.0.9562416345755431"}, "__start__": {"__start__": "00000000000000000000000000000001.0.009036305858240778"}}, "channel_values": {"seq": 1, "turn": 1, "rounds": 0, "branch:to:reflect": null}, "channel_versions": {"seq": "00000000000000000000000000000003.0.10778854713228847", "turn": "00000000000000000000000000000002.0.9562416345755431", "rounds": "00000000000000000000000000000002.0.9562416345755431", "results": "00000000000000000000000000000003.0.10778854713228847", "__start__": "00000000000000000000000000000002.0.9562416345755431", "branch:to:execute": "00000000000000000000000000000003.0.10778854713228847", "branch:to:reflect": "00000000000000000000000000000003.0.10778854713228847"}, "updated_channels": ["branch:to:reflect", "results", "seq"]}	{"step": 1, "source": "loop", "parents": {}}
T0LOCAL:C0OPS:1795504689.362036		1f1e7d73-392a-6cff-8002-751b99065253	1f1e7d73-38e9-6282-8001-e437d25ea0ed	\N	{"v": 4, "id": "1f1e7d73-392a-6cff-8002-751b99065253", "ts": "2026-11-24T07:18:09.443132+00:00", "versions_seen": {"execute": {"branch:to:execute": "00000000000000000000000000000002.0.9562416345755431"}, "reflect": {"branch:to:reflect": "00000000000000000000000000000003.0.10778854713228847"}, "__start__": {"__start__": "00000000000000000000000000000001.0.009036305858240778"}}, "channel_values": {"seq": 1, "turn": 1, "rounds": 1, "branch:to:execute": null}, "channel_versions": {"seq": "00000000000000000000000000000003.0.10778854713228847", "turn": "00000000000000000000000000000002.0.9562416345755431", "rounds": "00000000000000000000000000000004.0.5458047400335587", "results": "00000000000000000000000000000003.0.10778854713228847", "__start__": "00000000000000000000000000000002.0.9562416345755431", "branch:to:execute": "00000000000000000000000000000004.0.5458047400335587", "branch:to:reflect": "00000000000000000000000000000004.0.5458047400335587"}, "updated_channels": ["branch:to:execute", "rounds"]}	{"step": 2, "source": "loop", "parents": {}}
T0LOCAL:C0OPS:1795504689.362036		1f1e7d73-3956-6c21-8003-1760e05341bb	1f1e7d73-392a-6cff-8002-751b99065253	\N	{"v": 4, "id": "1f1e7d73-3956-6c21-8003-1760e05341bb", "ts": "2026-11-24T07:18:09.461140+00:00", "versions_seen": {"execute": {"branch:to:execute": "00000000000000000000000000000004.0.5458047400335587"}, "reflect": {"branch:to:reflect": "00000000000000000000000000000003.0.10778854713228847"}, "__start__": {"__start__": "00000000000000000000000000000001.0.009036305858240778"}}, "channel_values": {"seq": 2, "turn": 1, "rounds": 1, "branch:to:reflect": null}, "channel_versions": {"seq": "00000000000000000000000000000005.0.2711537308580051", "turn": "00000000000000000000000000000002.0.9562416345755431", "rounds": "00000000000000000000000000000004.0.5458047400335587", "results": "00000000000000000000000000000005.0.2711537308580051", "__start__": "00000000000000000000000000000002.0.9562416345755431", "branch:to:execute": "00000000000000000000000000000005.0.2711537308580051", "branch:to:reflect": "00000000000000000000000000000005.0.2711537308580051"}, "updated_channels": ["branch:to:reflect", "results", "seq"]}	{"step": 3, "source": "loop", "parents": {}}
T0LOCAL:C0OPS:1795504689.362036		1f1e7d73-39a6-62cf-8004-79c04a6c77a3	1f1e7d73-3956-6c21-8003-1760e05341bb	\N	{"v": 4, "id": "1f1e7d73-39a6-62cf-8004-79c04a6c77a3", "ts": "2026-11-24T07:18:09.493665+00:00", "versions_seen": {"execute": {"branch:to:execute": "00000000000000000000000000000004.0.5458047400335587"}, "reflect": {"branch:to:reflect": "00000000000000000000000000000005.0.2711537308580051"}, "__start__": {"__start__": "00000000000000000000000000000001.0.009036305858240778"}}, "channel_values": {"seq": 2, "turn": 1, "rounds": 2, "branch:to:execute": null}, "channel_versions": {"seq": "00000000000000000000000000000005.0.2711537308580051", "turn": "00000000000000000000000000000002.0.9562416345755431", "rounds": "00000000000000000000000000000006.0.10167767901238467", "results": "00000000000000000000000000000005.0.2711537308580051", "__start__": "00000000000000000000000000000002.0.9562416345755431", "branch:to:execute": "00000000000000000000000000000006.0.10167767901238467", "branch:to:reflect": "00000000000000000000000000000006.0.10167767901238467"}, "updated_channels": ["branch:to:execute", "rounds"]}	{"step": 4, "source": "loop", "parents": {}}
T0LOCAL:C0OPS:1795504689.362036		1f1e7d73-39d4-6c88-8005-c14eeacef71a	1f1e7d73-39a6-62cf-8004-79c04a6c77a3	\N	{"v": 4, "id": "1f1e7d73-39d4-6c88-8005-c14eeacef71a", "ts": "2026-11-24T07:18:09.512760+00:00", "versions_seen": {"execute": {"branch:to:execute": "00000000000000000000000000000006.0.10167767901238467"}, "reflect": {"branch:to:reflect": "00000000000000000000000000000005.0.2711537308580051"}, "__start__": {"__start__": "00000000000000000000000000000001.0.009036305858240778"}}, "channel_values": {"seq": 3, "turn": 1, "rounds": 2, "branch:to:reflect": null}, "channel_versions": {"seq": "00000000000000000000000000000007.0.05340418991526652", "turn": "00000000000000000000000000000002.0.9562416345755431", "rounds": "00000000000000000000000000000006.0.10167767901238467", "results": "00000000000000000000000000000007.0.05340418991526652", "__start__": "00000000000000000000000000000002.0.9562416345755431", "branch:to:execute": "00000000000000000000000000000007.0.05340418991526652", "branch:to:reflect": "00000000000000000000000000000007.0.05340418991526652"}, "updated_channels": ["branch:to:reflect", "results", "seq"]}	{"step": 5, "source": "loop", "parents": {}}
T0LOCAL:C0OPS:1795504689.362036		1f1e7d73-3a11-6b61-8006-70d045584254	1f1e7d73-39d4-6c88-8005-c14eeacef71a	\N	{"v": 4, "id": "1f1e7d73-3a11-6b61-8006-70d045584254", "ts": "2026-11-24T07:18:09.537714+00:00", "versions_seen": {"execute": {"branch:to:execute": "00000000000000000000000000000006.0.10167767901238467"}, "reflect": {"branch:to:reflect": "00000000000000000000000000000007.0.05340418991526652"}, "__start__": {"__start__": "00000000000000000000000000000001.0.009036305858240778"}}, "channel_values": {"seq": 3, "turn": 1, "rounds": 3, "branch:to:execute": null}, "channel_versions": {"seq": "00000000000000000000000000000007.0.05340418991526652", "turn": "00000000000000000000000000000002.0.9562416345755431", "rounds": "00000000000000000000000000000008.0.44543191378275093", "results": "00000000000000000000000000000007.0.05340418991526652", "__start__": "00000000000000000000000000000002.0.9562416345755431", "branch:to:execute": "00000000000000000000000000000008.0.44543191378275093", "branch:to:reflect": "00000000000000000000000000000008.0.44543191378275093"}, "updated_channels": ["branch:to:execute", "rounds"]}	{"step": 6, "source": "loop", "parents": {}}
T0LOCAL:C0OPS:1795504689.362036		1f1e7d73-3a4f-600e-8007-f25ea8f5faa0	1f1e7d73-3a11-6b61-8006-70d045584254	\N	{"v": 4, "id": "1f1e7d73-3a4f-600e-8007-f25ea8f5faa0", "ts": "2026-11-24T07:18:09.562820+00:00", "versions_seen": {"execute": {"branch:to:execute": "00000000000000000000000000000008.0.44543191378275093"}, "reflect": {"branch:to:reflect": "00000000000000000000000000000007.0.05340418991526652"}, "__start__": {"__start__": "00000000000000000000000000000001.0.009036305858240778"}}, "channel_values": {"seq": 4, "turn": 1, "rounds": 3, "branch:to:reflect": null}, "channel_versions": {"seq": "00000000000000000000000000000009.0.8460808327015874", "turn": "00000000000000000000000000000002.0.9562416345755431", "rounds": "00000000000000000000000000000008.0.44543191378275093", "results": "00000000000000000000000000000009.0.8460808327015874", "__start__": "00000000000000000000000000000002.0.9562416345755431", "branch:to:execute": "00000000000000000000000000000009.0.8460808327015874", "branch:to:reflect": "00000000000000000000000000000009.0.8460808327015874"}, "updated_channels": ["branch:to:reflect", "results", "seq"]}	{"step": 7, "source": "loop", "parents": {}}
T0LOCAL:C0OPS:1795504689.721295		1f1e7d73-3bf6-60c8-bfff-ed5f1c63b6c0	\N	\N	{"v": 4, "id": "1f1e7d73-3bf6-60c8-bfff-ed5f1c63b6c0", "ts": "2026-11-24T07:18:09.736105+00:00", "versions_seen": {}, "channel_values": {}, "channel_versions": {"__start__": "00000000000000000000000000000001.0.42367573057857333"}, "updated_channels": ["__start__"]}	{"step": -1, "source": "input", "parents": {}}
T0LOCAL:C0OPS:1795504689.721295		1f1e7d73-3bf6-6bea-8000-1819a28c298c	1f1e7d73-3bf6-60c8-bfff-ed5f1c63b6c0	\N	{"v": 4, "id": "1f1e7d73-3bf6-6bea-8000-1819a28c298c", "ts": "2026-11-24T07:18:09.736390+00:00", "versions_seen": {"__start__": {"__start__": "00000000000000000000000000000001.0.42367573057857333"}}, "channel_values": {"turn": 1, "rounds": 0, "branch:to:execute": null}, "channel_versions": {"turn": "00000000000000000000000000000002.0.31029944541651333", "rounds": "00000000000000000000000000000002.0.31029944541651333", "__start__": "00000000000000000000000000000002.0.31029944541651333", "branch:to:execute": "00000000000000000000000000000002.0.31029944541651333"}, "updated_channels": ["branch:to:execute", "rounds", "turn"]}	{"step": 0, "source": "loop", "parents": {}}
T0LOCAL:C0OPS:1795504689.721295		1f1e7d73-3c4a-613a-8001-879e40663242	1f1e7d73-3bf6-6bea-8000-1819a28c298c	\N	{"v": 4, "id": "1f1e7d73-3c4a-613a-8001-879e40663242", "ts": "2026-11-24T07:18:09.770519+00:00", "versions_seen": {"execute": {"branch:to:execute": "00000000000000000000000000000002.0.31029944541651333"}, "__start__": {"__start__": "00000000000000000000000000000001.0.42367573057857333"}}, "channel_values": {"seq": 1, "turn": 1, "rounds": 0, "branch:to:reflect": null}, "channel_versions": {"seq": "00000000000000000000000000000003.0.19508065208485548", "turn": "00000000000000000000000000000002.0.31029944541651333", "rounds": "00000000000000000000000000000002.0.31029944541651333", "results": "00000000000000000000000000000003.0.19508065208485548", "__start__": "00000000000000000000000000000002.0.31029944541651333", "branch:to:execute": "00000000000000000000000000000003.0.19508065208485548", "branch:to:reflect": "00000000000000000000000000000003.0.19508065208485548"}, "updated_channels": ["branch:to:reflect", "results", "seq"]}	{"step": 1, "source": "loop", "parents": {}}
T0LOCAL:C0OPS:1795504691.635052		1f1e7d73-4e31-6905-bfff-96df4550ceaf	\N	\N	{"v": 4, "id": "1f1e7d73-4e31-6905-bfff-96df4550ceaf", "ts": "2026-11-24T07:18:11.647918+00:00", "versions_seen": {}, "channel_values": {}, "channel_versions": {"__start__": "00000000000000000000000000000001.0.38088890582169255"}, "updated_channels": ["__start__"]}	{"step": -1, "source": "input", "parents": {}}
T0LOCAL:C0OPS:1795504691.635052		1f1e7d73-4e32-665f-8000-95dd6f2b7aec	1f1e7d73-4e31-6905-bfff-96df4550ceaf	\N	{"v": 4, "id": "1f1e7d73-4e32-665f-8000-95dd6f2b7aec", "ts": "2026-11-24T07:18:11.648261+00:00", "versions_seen": {"__start__": {"__start__": "00000000000000000000000000000001.0.38088890582169255"}}, "channel_values": {"turn": 1, "rounds": 0, "branch:to:execute": null}, "channel_versions": {"turn": "00000000000000000000000000000002.0.04978752947346554", "rounds": "00000000000000000000000000000002.0.04978752947346554", "__start__": "00000000000000000000000000000002.0.04978752947346554", "branch:to:execute": "00000000000000000000000000000002.0.04978752947346554"}, "updated_channels": ["branch:to:execute", "rounds", "turn"]}	{"step": 0, "source": "loop", "parents": {}}
T0LOCAL:C0OPS:1795504693.866916		1f1e7d73-637f-6611-bfff-7d8054fe760a	\N	\N	{"v": 4, "id": "1f1e7d73-637f-6611-bfff-7d8054fe760a", "ts": "2026-11-24T07:18:13.881802+00:00", "versions_seen": {}, "channel_values": {}, "channel_versions": {"__start__": "00000000000000000000000000000001.0.17717012763367546"}, "updated_channels": ["__start__"]}	{"step": -1, "source": "input", "parents": {}}
T0LOCAL:C0OPS:1795504693.866916		1f1e7d73-6380-6130-8000-74fdf58e1297	1f1e7d73-637f-6611-bfff-7d8054fe760a	\N	{"v": 4, "id": "1f1e7d73-6380-6130-8000-74fdf58e1297", "ts": "2026-11-24T07:18:13.882086+00:00", "versions_seen": {"__start__": {"__start__": "00000000000000000000000000000001.0.17717012763367546"}}, "channel_values": {"turn": 1, "rounds": 0, "branch:to:execute": null}, "channel_versions": {"turn": "00000000000000000000000000000002.0.16975642627104004", "rounds": "00000000000000000000000000000002.0.16975642627104004", "__start__": "00000000000000000000000000000002.0.16975642627104004", "branch:to:execute": "00000000000000000000000000000002.0.16975642627104004"}, "updated_channels": ["branch:to:execute", "rounds", "turn"]}	{"step": 0, "source": "loop", "parents": {}}
T0LOCAL:C0OPS:1795504698.799727		1f1e7d73-9f53-6467-bfff-878824af7928	\N	\N	{"v": 4, "id": "1f1e7d73-9f53-6467-bfff-878824af7928", "ts": "2026-11-24T07:18:20.155190+00:00", "versions_seen": {}, "channel_values": {}, "channel_versions": {"__start__": "00000000000000000000000000000001.0.5413177505568302"}, "updated_channels": ["__start__"]}	{"step": -1, "source": "input", "parents": {}}
T0LOCAL:C0OPS:1795504698.799727		1f1e7d73-9f55-62a1-8000-ef8363b41f95	1f1e7d73-9f53-6467-bfff-878824af7928	\N	{"v": 4, "id": "1f1e7d73-9f55-62a1-8000-ef8363b41f95", "ts": "2026-11-24T07:18:20.155964+00:00", "versions_seen": {"__start__": {"__start__": "00000000000000000000000000000001.0.5413177505568302"}}, "channel_values": {"turn": 1, "rounds": 0, "branch:to:execute": null}, "channel_versions": {"turn": "00000000000000000000000000000002.0.28624182724796776", "rounds": "00000000000000000000000000000002.0.28624182724796776", "__start__": "00000000000000000000000000000002.0.28624182724796776", "branch:to:execute": "00000000000000000000000000000002.0.28624182724796776"}, "updated_channels": ["branch:to:execute", "rounds", "turn"]}	{"step": 0, "source": "loop", "parents": {}}
T0LOCAL:C0OPS:1795504700.566678		1f1e7d73-b733-688b-bfff-898c6c648e3a	\N	\N	{"v": 4, "id": "1f1e7d73-b733-688b-bfff-898c6c648e3a", "ts": "2026-11-24T07:18:22.658771+00:00", "versions_seen": {}, "channel_values": {}, "channel_versions": {"__start__": "00000000000000000000000000000001.0.3250619405676356"}, "updated_channels": ["__start__"]}	{"step": -1, "source": "input", "parents": {}}
T0LOCAL:C0OPS:1795504700.566678		1f1e7d73-b736-6413-8000-c8a4098cc0f6	1f1e7d73-b733-688b-bfff-898c6c648e3a	\N	{"v": 4, "id": "1f1e7d73-b736-6413-8000-c8a4098cc0f6", "ts": "2026-11-24T07:18:22.659884+00:00", "versions_seen": {"__start__": {"__start__": "00000000000000000000000000000001.0.3250619405676356"}}, "channel_values": {"turn": 1, "rounds": 0, "branch:to:execute": null}, "channel_versions": {"turn": "00000000000000000000000000000002.0.10597225016761869", "rounds": "00000000000000000000000000000002.0.10597225016761869", "__start__": "00000000000000000000000000000002.0.10597225016761869", "branch:to:execute": "00000000000000000000000000000002.0.10597225016761869"}, "updated_channels": ["branch:to:execute", "rounds", "turn"]}	{"step": 0, "source": "loop", "parents": {}}
\.


--
-- Data for Name: freezes; Type: TABLE DATA; Schema: public; Owner: -
--

COPY public.freezes (tenant, scope, target, by, at) FROM stdin;
\.


--
-- Data for Name: grants; Type: TABLE DATA; Schema: public; Owner: -
--

COPY public.grants (tenant, id, kind, channel, thread, turn, tool, conditions, made_by, made_at, expires_at, most_uses, uses, revoked_at) FROM stdin;
\.


--
-- Data for Name: inbox; Type: TABLE DATA; Schema: public; Owner: -
--

COPY public.inbox (tenant, id, thread, app, event_id, channel, ts, author, text, kind, at, turn) FROM stdin;
T0LOCAL	1	T0LOCAL:C0OPS:1795504687.867791	A0GREENLIGHT	EvKPYDB9E8R5	C0OPS	1795504687.867791	U0ADA	tell them that all is well	mention	2026-11-24 07:18:07.885815+00	1
T0LOCAL	3	T0LOCAL:C0OPS:1795504689.362036	A0GREENLIGHT	EvKTILTRA3N6	C0OPS	1795504689.362036	U0ADA	keep looking around	mention	2026-11-24 07:18:09.366716+00	1
T0LOCAL	5	T0LOCAL:C0OPS:1795504689.721295	A0GREENLIGHT	EvBHP4DEW5MD	C0OPS	1795504689.721295	U0ADA	look at my region	mention	2026-11-24 07:18:09.725243+00	1
T0LOCAL	7	T0LOCAL:C0OPS:1795504691.635052	A0GREENLIGHT	Ev5UMGCCDHSX	C0OPS	1795504691.635052	U0ADA	tell about every host that is down	mention	2026-11-24 07:18:11.639282+00	1
T0LOCAL	9	T0LOCAL:C0OPS:1795504693.866916	A0GREENLIGHT	EvTQ8HYWMWBQ	C0OPS	1795504693.866916	U0ADA	tell them what is unknown	mention	2026-11-24 07:18:13.871624+00	1
T0LOCAL	11	T0LOCAL:C0OPS:1795504698.799727	A0GREENLIGHT	EvZQZJBRV96N	C0OPS	1795504698.799727	U0ADA	look twice	mention	2026-11-24 07:18:18.811045+00	1
T0LOCAL	13	T0LOCAL:C0OPS:1795504700.566678	A0GREENLIGHT	EvTEBCCE6BOF	C0OPS	1795504700.566678	U0ADA	count what is there	mention	2026-11-24 07:18:20.578489+00	1
\.


--
-- Data for Name: leases; Type: TABLE DATA; Schema: public; Owner: -
--

COPY public.leases (tenant, thread, worker, job, token, taken_at) FROM stdin;
T0LOCAL	T0LOCAL:C0OPS:1795504700.566678	f92b04a603564afd92e1ea4848b2a926	10	10	2026-11-24 07:18:22.640164+00
\.


--
-- Data for Name: ledger; Type: TABLE DATA; Schema: public; Owner: -
--

COPY public.ledger (tenant, thread, node, attempt, digest, state, result, started_at, finished_at, inverse) FROM stdin;
T0LOCAL	T0LOCAL:C0OPS:1795504691.635052	tell-0	1	d00661b585fbb7e40442b8f84e1fa92a6a20d1ccc83642123ad0e8242af15976	done	{"state":"succeeded","value":{"channel":"C0INCIDENTS","ts":"1795504693.783521"}}	2026-11-24 07:18:13.779838+00	2026-11-24 07:18:13.785481+00	{"tool":"slack_delete_message","args":{"channel":"C0INCIDENTS","ts":"1795504693.783521"}}
T0LOCAL	T0LOCAL:C0OPS:1795504693.866916	tell	1	0224c76977d9bc0ca19a3b6a114e885a0fa72586f4d3002ca4ac1ddeac46e784	started	\N	2026-11-24 07:18:15.941316+00	\N	\N
\.


--
-- Data for Name: nodes; Type: TABLE DATA; Schema: public; Owner: -
--

COPY public.nodes (tenant, thread, node, turn, noted, title, kind, tool, colour, author, state, detail, depends_on, outcome, planned_at, changed_at, started_at, ended_at) FROM stdin;
T0LOCAL	T0LOCAL:C0OPS:1795504687.867791	first	1	1	Title of first	tool	slack_read_channel	green	U0ADA	succeeded		[]	{"state":"succeeded","value":{"channel":{"id":"C0GENERAL","name":"general"},"messages":[{"ts":"1795504687.840900","at":"2026-11-24T07:18:07+00:00","author":{"id":"U0ADA","name":"Ada Lovelace"},"text":"first"}],"truncated":false}}	2026-11-24 07:18:09.232376+00	2026-11-24 07:18:09.23829+00	2026-11-24 07:18:09.233682+00	2026-11-24 07:18:09.23829+00
T0LOCAL	T0LOCAL:C0OPS:1795504687.867791	second	1	2	Title of second	tool	slack_read_channel	green	U0ADA	succeeded		["first"]	{"state":"succeeded","value":{"channel":{"id":"C0GENERAL","name":"general"},"messages":[{"ts":"1795504687.841683","at":"2026-11-24T07:18:07+00:00","author":{"id":"U0ADA","name":"Ada Lovelace"},"text":"second"}],"truncated":false}}	2026-11-24 07:18:09.245212+00	2026-11-24 07:18:09.249719+00	2026-11-24 07:18:09.246317+00	2026-11-24 07:18:09.249719+00
T0LOCAL	T0LOCAL:C0OPS:1795504687.867791	third	1	3	Title of third	tool	slack_read_channel	green	U0ADA	succeeded		["second"]	{"state":"succeeded","value":{"channel":{"id":"C0GENERAL","name":"general"},"messages":[{"ts":"1795504687.842174","at":"2026-11-24T07:18:07+00:00","author":{"id":"U0ADA","name":"Ada Lovelace"},"text":"third"}],"truncated":false}}	2026-11-24 07:18:09.257998+00	2026-11-24 07:18:09.264917+00	2026-11-24 07:18:09.261261+00	2026-11-24 07:18:09.264917+00
T0LOCAL	T0LOCAL:C0OPS:1795504687.867791	tell	1	4	Title of tell	tool	slack_post_message	red	U0ADA	asking		["third"]	\N	2026-11-24 07:18:09.273545+00	2026-11-24 07:18:09.300671+00	\N	\N
T0LOCAL	T0LOCAL:C0OPS:1795504687.867791	after	1	5	Title of after	tool	slack_read_channel	green	U0ADA	planned		["tell"]	\N	2026-11-24 07:18:09.31018+00	2026-11-24 07:18:09.31018+00	\N	\N
T0LOCAL	T0LOCAL:C0OPS:1795504689.362036	look0	1	6	Title of look0	tool	slack_read_channel	green	U0ADA	succeeded		[]	{"state":"succeeded","value":{"channel":{"id":"C0GENERAL","name":"general"},"messages":[{"ts":"1795504687.843928","at":"2026-11-24T07:18:07+00:00","author":{"id":"U0ADA","name":"Ada Lovelace"},"text":"round-0"}],"truncated":false}}	2026-11-24 07:18:09.408067+00	2026-11-24 07:18:09.413659+00	2026-11-24 07:18:09.410455+00	2026-11-24 07:18:09.413659+00
T0LOCAL	T0LOCAL:C0OPS:1795504689.362036	look1	1	7	Title of look1	tool	slack_read_channel	green	U0ADA	succeeded		[]	{"state":"succeeded","value":{"channel":{"id":"C0GENERAL","name":"general"},"messages":[{"ts":"1795504687.844361","at":"2026-11-24T07:18:07+00:00","author":{"id":"U0ADA","name":"Ada Lovelace"},"text":"round-1"}],"truncated":false}}	2026-11-24 07:18:09.455137+00	2026-11-24 07:18:09.458423+00	2026-11-24 07:18:09.455845+00	2026-11-24 07:18:09.458423+00
T0LOCAL	T0LOCAL:C0OPS:1795504689.362036	look2	1	8	Title of look2	tool	slack_read_channel	green	U0ADA	succeeded		[]	{"state":"succeeded","value":{"channel":{"id":"C0GENERAL","name":"general"},"messages":[{"ts":"1795504687.844807","at":"2026-11-24T07:18:07+00:00","author":{"id":"U0ADA","name":"Ada Lovelace"},"text":"round-2"}],"truncated":false}}	2026-11-24 07:18:09.50709+00	2026-11-24 07:18:09.510235+00	2026-11-24 07:18:09.507863+00	2026-11-24 07:18:09.510235+00
T0LOCAL	T0LOCAL:C0OPS:1795504689.362036	look3	1	9	Title of look3	tool	slack_read_channel	green	U0ADA	succeeded		[]	{"state":"succeeded","value":{"channel":{"id":"C0GENERAL","name":"general"},"messages":[{"ts":"1795504687.845136","at":"2026-11-24T07:18:07+00:00","author":{"id":"U0ADA","name":"Ada Lovelace"},"text":"round-3"}],"truncated":false}}	2026-11-24 07:18:09.554498+00	2026-11-24 07:18:09.560029+00	2026-11-24 07:18:09.555252+00	2026-11-24 07:18:09.560029+00
T0LOCAL	T0LOCAL:C0OPS:1795504689.721295	look	1	10	Title of look	tool	slack_read_channel	green	U0ADA	succeeded		[]	{"state":"succeeded","value":{"channel":{"id":"C0GENERAL","name":"general"},"messages":[{"ts":"1795504687.845745","at":"2026-11-24T07:18:07+00:00","author":{"id":"U0ADA","name":"Ada Lovelace"},"text":"asked"}],"truncated":false}}	2026-11-24 07:18:09.764902+00	2026-11-24 07:18:09.768166+00	2026-11-24 07:18:09.765703+00	2026-11-24 07:18:09.768166+00
T0LOCAL	T0LOCAL:C0OPS:1795504691.635052	find	1	11	Title of find	package	\N	green	U0ADA	succeeded		[]	{"state":"succeeded","value":{"hosts":[{"name":"a","down":true},{"name":"b","down":false},{"name":"c","down":true}]}}	2026-11-24 07:18:11.68452+00	2026-11-24 07:18:11.717395+00	2026-11-24 07:18:11.686329+00	2026-11-24 07:18:11.717395+00
T0LOCAL	T0LOCAL:C0OPS:1795504691.635052	tell	1	12	Title of tell	tool	slack_post_message	green	U0ADA	running		["find"]	\N	2026-11-24 07:18:11.709968+00	2026-11-24 07:18:11.720792+00	2026-11-24 07:18:11.720792+00	\N
T0LOCAL	T0LOCAL:C0OPS:1795504691.635052	behind	1	13	Title of behind	tool	slack_read_channel	green	U0ADA	planned		["tell"]	\N	2026-11-24 07:18:11.71353+00	2026-11-24 07:18:11.71353+00	\N	\N
T0LOCAL	T0LOCAL:C0OPS:1795504691.635052	tell-1	1	15	Title of tell (2 of 3)	tool	slack_post_message	red	U0ADA	skipped		["find"]	{"state":"skipped","because":"find","why":"its condition was not met"}	2026-11-24 07:18:11.721469+00	2026-11-24 07:18:11.730856+00	\N	2026-11-24 07:18:11.730856+00
T0LOCAL	T0LOCAL:C0OPS:1795504691.635052	tell-2	1	16	Title of tell (3 of 3)	tool	slack_post_message	red	U0ADA	asking		["find"]	\N	2026-11-24 07:18:11.721504+00	2026-11-24 07:18:11.732122+00	\N	\N
T0LOCAL	T0LOCAL:C0OPS:1795504691.635052	tell-0	1	14	Title of tell (1 of 3)	tool	slack_post_message	red	U0ADA	succeeded		["find"]	{"state":"succeeded","value":{"channel":"C0INCIDENTS","ts":"1795504693.783521"}}	2026-11-24 07:18:11.721404+00	2026-11-24 07:18:13.786799+00	2026-11-24 07:18:13.780689+00	2026-11-24 07:18:13.786799+00
T0LOCAL	T0LOCAL:C0OPS:1795504693.866916	before	1	23	Title of before	tool	slack_read_channel	green	U0ADA	succeeded		[]	{"state":"succeeded","value":{"channel":{"id":"C0GENERAL","name":"general"},"messages":[{"ts":"1795504687.843123","at":"2026-11-24T07:18:07+00:00","author":{"id":"U0ADA","name":"Ada Lovelace"},"text":"before-unknown"}],"truncated":false}}	2026-11-24 07:18:13.908243+00	2026-11-24 07:18:13.913103+00	2026-11-24 07:18:13.909516+00	2026-11-24 07:18:13.913103+00
T0LOCAL	T0LOCAL:C0OPS:1795504693.866916	after	1	25	Title of after	tool	slack_read_channel	green	U0ADA	planned		["tell"]	\N	2026-11-24 07:18:13.938976+00	2026-11-24 07:18:13.938976+00	\N	\N
T0LOCAL	T0LOCAL:C0OPS:1795504698.799727	one	1	32	Title of one	tool	slack_read_channel	green	U0ADA	succeeded		[]	{"state":"succeeded","value":{"channel":{"id":"C0GENERAL","name":"general"},"messages":[{"ts":"1795504687.846398","at":"2026-11-24T07:18:07+00:00","author":{"id":"U0ADA","name":"Ada Lovelace"},"text":"budget-1"}],"truncated":false}}	2026-11-24 07:18:20.220459+00	2026-11-24 07:18:20.226377+00	2026-11-24 07:18:20.221628+00	2026-11-24 07:18:20.226377+00
T0LOCAL	T0LOCAL:C0OPS:1795504693.866916	tell	1	24	Title of tell	tool	slack_post_message	red	U0ADA	unknown		["before"]	\N	2026-11-24 07:18:13.920189+00	2026-11-24 07:18:18.499948+00	2026-11-24 07:18:15.942154+00	\N
T0LOCAL	T0LOCAL:C0OPS:1795504698.799727	two	1	33	Title of two	tool	slack_read_channel	green	U0ADA	planned		["one"]	\N	2026-11-24 07:18:20.234935+00	2026-11-24 07:18:20.234935+00	\N	\N
T0LOCAL	T0LOCAL:C0OPS:1795504700.566678	count	1	34	Title of count	package	\N	green	U0ADA	running		[]	\N	2026-11-24 07:18:22.768442+00	2026-11-24 07:18:22.778591+00	2026-11-24 07:18:22.778591+00	\N
\.


--
-- Data for Name: operations; Type: TABLE DATA; Schema: public; Owner: -
--

COPY public.operations (tenant, thread, seq, turn, author, operation, adds, at) FROM stdin;
T0LOCAL	T0LOCAL:C0OPS:1795504687.867791	1	1	U0ADA	{"op":"add","id":"first","kind":"tool","title":"Title of first","tool":"slack_read_channel","args":{"channel":"#general","thread_ts":"1795504687.840900"}}	first	2026-11-24 07:18:09.224026+00
T0LOCAL	T0LOCAL:C0OPS:1795504687.867791	2	1	U0ADA	{"op":"add","id":"second","kind":"tool","title":"Title of second","depends_on":["first"],"tool":"slack_read_channel","args":{"channel":"#general","thread_ts":"1795504687.841683"}}	second	2026-11-24 07:18:09.242084+00
T0LOCAL	T0LOCAL:C0OPS:1795504687.867791	3	1	U0ADA	{"op":"add","id":"third","kind":"tool","title":"Title of third","depends_on":["second"],"tool":"slack_read_channel","args":{"channel":"#general","thread_ts":"1795504687.842174"}}	third	2026-11-24 07:18:09.25413+00
T0LOCAL	T0LOCAL:C0OPS:1795504687.867791	4	1	U0ADA	{"op":"add","id":"tell","kind":"tool","title":"Title of tell","depends_on":["third"],"tool":"slack_post_message","args":{"channel":"#incidents","text":"all is well on ${third#/messages/0/text}"}}	tell	2026-11-24 07:18:09.270815+00
T0LOCAL	T0LOCAL:C0OPS:1795504687.867791	5	1	U0ADA	{"op":"add","id":"after","kind":"tool","title":"Title of after","depends_on":["tell"],"tool":"slack_read_channel","args":{"channel":"#general","thread_ts":"1795504687.842635"}}	after	2026-11-24 07:18:09.289263+00
T0LOCAL	T0LOCAL:C0OPS:1795504689.362036	1	1	U0ADA	{"op":"add","id":"look0","kind":"tool","title":"Title of look0","tool":"slack_read_channel","args":{"channel":"#general","thread_ts":"1795504687.843928"}}	look0	2026-11-24 07:18:09.401775+00
T0LOCAL	T0LOCAL:C0OPS:1795504689.362036	2	1	U0ADA	{"op":"add","id":"look1","kind":"tool","title":"Title of look1","tool":"slack_read_channel","args":{"channel":"#general","thread_ts":"1795504687.844361"}}	look1	2026-11-24 07:18:09.437164+00
T0LOCAL	T0LOCAL:C0OPS:1795504689.362036	3	1	U0ADA	{"op":"add","id":"look2","kind":"tool","title":"Title of look2","tool":"slack_read_channel","args":{"channel":"#general","thread_ts":"1795504687.844807"}}	look2	2026-11-24 07:18:09.488124+00
T0LOCAL	T0LOCAL:C0OPS:1795504689.362036	4	1	U0ADA	{"op":"add","id":"look3","kind":"tool","title":"Title of look3","tool":"slack_read_channel","args":{"channel":"#general","thread_ts":"1795504687.845136"}}	look3	2026-11-24 07:18:09.532321+00
T0LOCAL	T0LOCAL:C0OPS:1795504689.721295	1	1	U0ADA	{"op":"add","id":"look","kind":"tool","title":"Title of look","tool":"slack_read_channel","args":{"channel":"#general","thread_ts":"1795504687.845745"}}	look	2026-11-24 07:18:09.759722+00
T0LOCAL	T0LOCAL:C0OPS:1795504691.635052	1	1	U0ADA	{"op":"add","id":"find","kind":"package","title":"Title of find","code":"def main(inputs):\\n    hosts = [{'name': name, 'down': name != 'b'} for name in ['a', 'b', 'c']]\\n    return {'hosts': hosts}\\n"}	find	2026-11-24 07:18:11.677269+00
T0LOCAL	T0LOCAL:C0OPS:1795504691.635052	2	1	U0ADA	{"op":"add","id":"tell","kind":"tool","title":"Title of tell","depends_on":["find"],"tool":"slack_post_message","args":{"channel":"#incidents","text":"host ${item#/name} is down"},"for_each":"${find#/hosts}","when":"${item#/down}"}	tell	2026-11-24 07:18:11.703921+00
T0LOCAL	T0LOCAL:C0OPS:1795504691.635052	3	1	U0ADA	{"op":"add","id":"behind","kind":"tool","title":"Title of behind","depends_on":["tell"],"tool":"slack_read_channel","args":{"channel":"#general","thread_ts":"1795504687.847016"}}	behind	2026-11-24 07:18:11.707212+00
T0LOCAL	T0LOCAL:C0OPS:1795504691.635052	4	1	U0ADA	{"op":"add","id":"tell-0","kind":"tool","title":"Title of tell (1 of 3)","depends_on":["find"],"tool":"slack_post_message","args":{"channel":"#incidents","text":"host ${find#/hosts/0/name} is down"},"when":"${find#/hosts/0/down}","item_of":"tell"}	tell-0	2026-11-24 07:18:11.718731+00
T0LOCAL	T0LOCAL:C0OPS:1795504691.635052	5	1	U0ADA	{"op":"add","id":"tell-1","kind":"tool","title":"Title of tell (2 of 3)","depends_on":["find"],"tool":"slack_post_message","args":{"channel":"#incidents","text":"host ${find#/hosts/1/name} is down"},"when":"${find#/hosts/1/down}","item_of":"tell"}	tell-1	2026-11-24 07:18:11.718731+00
T0LOCAL	T0LOCAL:C0OPS:1795504691.635052	6	1	U0ADA	{"op":"add","id":"tell-2","kind":"tool","title":"Title of tell (3 of 3)","depends_on":["find"],"tool":"slack_post_message","args":{"channel":"#incidents","text":"host ${find#/hosts/2/name} is down"},"when":"${find#/hosts/2/down}","item_of":"tell"}	tell-2	2026-11-24 07:18:11.718731+00
T0LOCAL	T0LOCAL:C0OPS:1795504691.635052	7	1	U0ADA	{"op":"skip","id":"tell-1","because":"find","why":"its condition was not met"}	\N	2026-11-24 07:18:11.723208+00
T0LOCAL	T0LOCAL:C0OPS:1795504693.866916	1	1	U0ADA	{"op":"add","id":"before","kind":"tool","title":"Title of before","tool":"slack_read_channel","args":{"channel":"#general","thread_ts":"1795504687.843123"}}	before	2026-11-24 07:18:13.904312+00
T0LOCAL	T0LOCAL:C0OPS:1795504693.866916	2	1	U0ADA	{"op":"add","id":"tell","kind":"tool","title":"Title of tell","depends_on":["before"],"tool":"slack_post_message","args":{"channel":"#incidents","text":"what is unknown"}}	tell	2026-11-24 07:18:13.917526+00
T0LOCAL	T0LOCAL:C0OPS:1795504693.866916	3	1	U0ADA	{"op":"add","id":"after","kind":"tool","title":"Title of after","depends_on":["tell"],"tool":"slack_read_channel","args":{"channel":"#general","thread_ts":"1795504687.843504"}}	after	2026-11-24 07:18:13.935823+00
T0LOCAL	T0LOCAL:C0OPS:1795504698.799727	1	1	U0ADA	{"op":"add","id":"one","kind":"tool","title":"Title of one","tool":"slack_read_channel","args":{"channel":"#general","thread_ts":"1795504687.846398"}}	one	2026-11-24 07:18:20.211915+00
T0LOCAL	T0LOCAL:C0OPS:1795504698.799727	2	1	U0ADA	{"op":"add","id":"two","kind":"tool","title":"Title of two","depends_on":["one"],"tool":"slack_read_channel","args":{"channel":"#general","thread_ts":"1795504687.846715"}}	two	2026-11-24 07:18:20.230976+00
T0LOCAL	T0LOCAL:C0OPS:1795504700.566678	1	1	U0ADA	{"op":"add","id":"count","kind":"package","title":"Title of count","code":"def main(inputs):\\n    page = tools.slack_read_channel(channel=inputs[\\"channel\\"], thread_ts=inputs[\\"ts\\"])\\n    return {\\"counted\\": len(page[\\"messages\\"]), \\"of\\": page[\\"kinds\\"]}\\n","inputs":{"channel":"#general","ts":"1795504687.847316"},"tools":["slack_read_channel"]}	count	2026-11-24 07:18:22.737331+00
\.


--
-- Data for Name: posts; Type: TABLE DATA; Schema: public; Owner: -
--

COPY public.posts (tenant, thread, turn, post, key, begun_at, ts, shown) FROM stdin;
T0LOCAL	T0LOCAL:C0OPS:1795504687.867791	1	board		2026-11-24 07:18:09.333387+00	1795504689.335028	89edb94b6589c5be1d60bc4e15de5dac626af38f1b290930205eed4e84743bcb
T0LOCAL	T0LOCAL:C0OPS:1795504687.867791	1	card	934d7cd9159e10b605b0553db9e18229	2026-11-24 07:18:09.346747+00	1795504689.347976	daf975f5ef267739632b3b1c0e48c0f72a89d22946868aace8d8dfc136461c55
T0LOCAL	T0LOCAL:C0OPS:1795504687.867791	1	session		2026-11-24 07:18:09.355512+00		suspended
T0LOCAL	T0LOCAL:C0OPS:1795504689.362036	1	board		2026-11-24 07:18:09.604658+00	1795504689.605971	b1563d8c91a36810b88a375c11a15c907887234732c198cff6bff66e09b359a9
T0LOCAL	T0LOCAL:C0OPS:1795504689.362036	1	card	17bda852fd83daec441e3c586aeaa3f1	2026-11-24 07:18:09.612494+00	1795504689.613433	788ada4c8e0d81850653327d66664a906646235bc86565ef262ff0df42b6006e
T0LOCAL	T0LOCAL:C0OPS:1795504689.362036	1	session		2026-11-24 07:18:09.617294+00		suspended
T0LOCAL	T0LOCAL:C0OPS:1795504689.721295	1	board		2026-11-24 07:18:10.431651+00	1795504690.433281	2da73210ef8e9c597dece5d5fca78d1ce8b72ea9dfd6ddac0ce7002cc5edf091
T0LOCAL	T0LOCAL:C0OPS:1795504689.721295	1	card	decae69077329ad1b746ad27f260cd7d	2026-11-24 07:18:11.522944+00	1795504691.524490	06d8f9a76a19f3e015bd6ae6fbb0b2024434a308a8bf47d7961b73f7d4cb24f4
T0LOCAL	T0LOCAL:C0OPS:1795504689.721295	1	session		2026-11-24 07:18:11.529813+00		suspended
T0LOCAL	T0LOCAL:C0OPS:1795504691.635052	1	session		2026-11-24 07:18:13.713143+00		suspended
T0LOCAL	T0LOCAL:C0OPS:1795504691.635052	1	card	007be98f1670296581c7ce6668ecfcf7	2026-11-24 07:18:13.705222+00	1795504693.707360	dd9f1e41bcfab84c28679c61683d56f8e7ef72ab4e12b3e540783419f820b2ce
T0LOCAL	T0LOCAL:C0OPS:1795504691.635052	1	board		2026-11-24 07:18:12.614593+00	1795504692.616369	548ffe516ce45234bf4f548629b0b6ecbf9a9dae1cce9164f727bd38330d0c3d
T0LOCAL	T0LOCAL:C0OPS:1795504693.866916	1	card	87f0022af277a56a354634c25cae059c	2026-11-24 07:18:15.885061+00	1795504695.887214	524254d884728dc0dc21588d7274a32ab6e8eeb7422c838e32c766fa3e79dfb7
T0LOCAL	T0LOCAL:C0OPS:1795504693.866916	1	card	533ae8087022e60c354634c25cae059c	2026-11-24 07:18:18.531993+00	1795504698.533345	a73d75dd7ddcf16f829b66ccc598aba07b88df85738e27965b7e2cd456916be5
T0LOCAL	T0LOCAL:C0OPS:1795504693.866916	1	board		2026-11-24 07:18:14.795113+00	1795504694.796851	fb19a3ae0ef4bca1924e97708ccef3ff733173415c560c0b718694775c270d3a
T0LOCAL	T0LOCAL:C0OPS:1795504693.866916	1	session		2026-11-24 07:18:15.891618+00		suspended
T0LOCAL	T0LOCAL:C0OPS:1795504698.799727	1	board		2026-11-24 07:18:20.282041+00	1795504700.283636	ec4cc0ab3bf7be50dba5bb327b0f4a38d38d6c7bb4639b79cc0f2f0b218102fd
T0LOCAL	T0LOCAL:C0OPS:1795504698.799727	1	card	8183b95b489aba34222f53fbc5444aa6	2026-11-24 07:18:20.293916+00	1795504700.295004	f06380af5e38d3ea1bcf93ccbbe6aad86f765b636561f850b1a2c2a65a89240d
T0LOCAL	T0LOCAL:C0OPS:1795504698.799727	1	session		2026-11-24 07:18:20.302138+00		suspended
T0LOCAL	T0LOCAL:C0OPS:1795504700.566678	1	board		2026-11-24 07:18:23.082056+00	\N	\N
\.


--
-- Data for Name: procrastinate_events; Type: TABLE DATA; Schema: public; Owner: -
--

COPY public.procrastinate_events (id, job_id, type, at) FROM stdin;
19	10	deferred	2026-11-24 07:18:20.578489+00
20	10	started	2026-11-24 07:18:22.611769+00
\.


--
-- Data for Name: procrastinate_jobs; Type: TABLE DATA; Schema: public; Owner: -
--

COPY public.procrastinate_jobs (id, queue_name, task_name, priority, lock, queueing_lock, args, status, scheduled_at, attempts, abort_requested, worker_id) FROM stdin;
10	default	wake	0	T0LOCAL:C0OPS:1795504700.566678	T0LOCAL:C0OPS:1795504700.566678	{"thread": "T0LOCAL:C0OPS:1795504700.566678", "failures": 0}	doing	\N	0	f	4
\.


--
-- Data for Name: procrastinate_periodic_defers; Type: TABLE DATA; Schema: public; Owner: -
--

COPY public.procrastinate_periodic_defers (id, task_name, defer_timestamp, job_id, periodic_id) FROM stdin;
\.


--
-- Data for Name: procrastinate_workers; Type: TABLE DATA; Schema: public; Owner: -
--

COPY public.procrastinate_workers (id, last_heartbeat) FROM stdin;
1	2026-11-24 07:18:15.648758+00
4	2026-11-24 07:18:22.605647+00
\.


--
-- Data for Name: queue_migrations; Type: TABLE DATA; Schema: public; Owner: -
--

COPY public.queue_migrations (name, applied_at) FROM stdin;
00.00.00_01_initial.sql	2026-11-24 06:59:53.462244+00
00.05.00_01_drop_started_at_column.sql	2026-11-24 06:59:53.462244+00
00.05.00_02_drop_started_at_column.sql	2026-11-24 06:59:53.462244+00
00.05.00_03_drop_procrastinate_version_table.sql	2026-11-24 06:59:53.462244+00
00.06.00_01_fix_procrastinate_fetch_job.sql	2026-11-24 06:59:53.462244+00
00.07.01_01_fix_trigger_status_events_insert.sql	2026-11-24 06:59:53.462244+00
00.08.01_01_add_queueing_lock_column.sql	2026-11-24 06:59:53.462244+00
00.10.00_01_close_fetch_job_race_condition.sql	2026-11-24 06:59:53.462244+00
00.10.00_02_add_defer_job_function.sql	2026-11-24 06:59:53.462244+00
00.11.00_03_add_procrastinate_periodic_defers.sql	2026-11-24 06:59:53.462244+00
00.12.00_01_add_foreign_key_index.sql	2026-11-24 06:59:53.462244+00
00.14.00_01_add_locks_to_periodic_defer.sql	2026-11-24 06:59:53.462244+00
00.15.02_01_fix_procrastinate_defer_periodic_job.sql	2026-11-24 06:59:53.462244+00
00.16.00_01_add_finish_job_and_retry_job_functions.sql	2026-11-24 06:59:53.462244+00
00.17.00_01_add_trigger_on_job_deletion.sql	2026-11-24 06:59:53.462244+00
00.17.00_02_delete_finished_jobs.sql	2026-11-24 06:59:53.462244+00
00.17.00_03_add_checks_to_finish_job.sql	2026-11-24 06:59:53.462244+00
00.17.00_04_add_checks_to_retry_job.sql	2026-11-24 06:59:53.462244+00
00.18.01_01_fix_finish_job_compat_issue.sql	2026-11-24 06:59:53.462244+00
00.19.00_01_add_index_on_procrastinate_jobs.sql	2026-11-24 06:59:53.462244+00
00.22.00_01_add_kwargs_to_defer_periodic_job.sql	2026-11-24 06:59:53.462244+00
00.23.00_01_null_locks_excluded.sql	2026-11-24 06:59:53.462244+00
01.00.00_01_remove_old_finish_job_function.sql	2026-11-24 06:59:53.462244+00
01.01.01_01_job_id_bigint.sql	2026-11-24 06:59:53.462244+00
02.00.03_01_add_job_priority.sql	2026-11-24 06:59:53.462244+00
02.05.00_01_add_periodic_job_priority.sql	2026-11-24 06:59:53.462244+00
02.06.00_01_add_cancel_states.sql	2026-11-24 06:59:53.462244+00
02.08.00_01_add_additional_params_to_retry_job.sql	2026-11-24 06:59:53.462244+00
02.14.01_01_add_indexes_for_fetch_job.sql	2026-11-24 06:59:53.462244+00
03.00.00_01_pre_cancel_notification.sql	2026-11-24 06:59:53.462244+00
03.00.00_50_post_cancel_notification.sql	2026-11-24 06:59:53.462244+00
03.01.00_01_pre_add_heartbeat.sql	2026-11-24 06:59:53.462244+00
03.01.00_50_post_add_heartbeat.sql	2026-11-24 06:59:53.462244+00
03.02.00_01_pre_batch_defer_jobs.sql	2026-11-24 06:59:53.462244+00
03.02.00_50_post_batch_defer_jobs.sql	2026-11-24 06:59:53.462244+00
03.03.00_01_pre_priority_lock_fetch_job.sql	2026-11-24 06:59:53.462244+00
03.04.00_01_pre_add_retry_failed_job_procedure.sql	2026-11-24 06:59:53.462244+00
03.04.00_50_post_add_retry_failed_job_procedure.sql	2026-11-24 06:59:53.462244+00
\.


--
-- Data for Name: results; Type: TABLE DATA; Schema: public; Owner: -
--

COPY public.results (tenant, author, tool, version, arguments, value, kept_at, expires_at) FROM stdin;
\.


--
-- Data for Name: runs; Type: TABLE DATA; Schema: public; Owner: -
--

COPY public.runs (tenant, thread, turn, channel, requester, status, replies, trouble, answer, started_at, ended_at, settled, reflections, model_calls, input_tokens, output_tokens, cost_micros, work_milliseconds, nodes, packing, cached_tokens) FROM stdin;
T0LOCAL	T0LOCAL:C0OPS:1795504687.867791	1	C0OPS	U0ADA	waiting	[]			2026-11-24 07:18:09.166012+00	\N	f	[]	1	3598	242	0	163	3	{}	0
T0LOCAL	T0LOCAL:C0OPS:1795504693.866916	1	C0OPS	U0ADA	waiting	[]			2026-11-24 07:18:13.88079+00	\N	f	[]	1	3598	138	0	131	1	{}	0
T0LOCAL	T0LOCAL:C0OPS:1795504698.799727	1	C0OPS	U0ADA	waiting	[]			2026-11-24 07:18:20.153365+00	\N	f	[]	1	3594	89	0	124	1	{}	0
T0LOCAL	T0LOCAL:C0OPS:1795504700.566678	1	C0OPS	U0ADA	running	[]			2026-11-24 07:18:22.656892+00	\N	f	[]	1	3596	93	0	123	0	{}	0
T0LOCAL	T0LOCAL:C0OPS:1795504689.362036	1	C0OPS	U0ADA	waiting	[]			2026-11-24 07:18:09.376563+00	\N	f	[]	5	18812	215	0	225	4	{}	0
T0LOCAL	T0LOCAL:C0OPS:1795504689.721295	1	C0OPS	U0ADA	waiting	[]			2026-11-24 07:18:09.735242+00	\N	f	[]	2	7281	56	0	63	1	{}	0
T0LOCAL	T0LOCAL:C0OPS:1795504691.635052	1	C0OPS	U0ADA	waiting	[]			2026-11-24 07:18:11.64659+00	\N	f	[]	1	3600	159	0	146	2	{"fusions":[],"splits":[["tell","behind","TEMPLATE",""]]}	0
\.


--
-- Data for Name: summaries; Type: TABLE DATA; Schema: public; Owner: -
--

COPY public.summaries (tenant, thread, upto_turn, text, written_at) FROM stdin;
\.


--
-- Data for Name: threads; Type: TABLE DATA; Schema: public; Owner: -
--

COPY public.threads (tenant, thread, channel, last_seq, created_at, looked_for_at, takeovers, ended, set_aside_at) FROM stdin;
T0LOCAL	T0LOCAL:C0OPS:1795504687.867791	C0OPS	5	2026-11-24 07:18:07.885815+00	\N	0	0	\N
T0LOCAL	T0LOCAL:C0OPS:1795504689.362036	C0OPS	4	2026-11-24 07:18:09.366716+00	\N	0	0	\N
T0LOCAL	T0LOCAL:C0OPS:1795504689.721295	C0OPS	1	2026-11-24 07:18:09.725243+00	\N	0	0	\N
T0LOCAL	T0LOCAL:C0OPS:1795504691.635052	C0OPS	7	2026-11-24 07:18:11.639282+00	\N	0	0	\N
T0LOCAL	T0LOCAL:C0OPS:1795504693.866916	C0OPS	3	2026-11-24 07:18:13.871624+00	\N	1	1	\N
T0LOCAL	T0LOCAL:C0OPS:1795504698.799727	C0OPS	2	2026-11-24 07:18:18.811045+00	\N	0	0	\N
T0LOCAL	T0LOCAL:C0OPS:1795504700.566678	C0OPS	1	2026-11-24 07:18:20.578489+00	\N	0	0	\N
\.


--
-- Data for Name: votes; Type: TABLE DATA; Schema: public; Owner: -
--

COPY public.votes (tenant, approval, digest, stages, by, stage, at) FROM stdin;
\.


--
-- Data for Name: worker_sessions; Type: TABLE DATA; Schema: public; Owner: -
--

COPY public.worker_sessions (worker, since) FROM stdin;
557005edd1f641a2a7aa4d288aa8a9a9	2026-11-24 07:18:09.142037+00
f92b04a603564afd92e1ea4848b2a926	2026-11-24 07:18:22.607696+00
\.


--
-- Data for Name: workers; Type: TABLE DATA; Schema: public; Owner: -
--

COPY public.workers (id, host, pid, queue_worker, started_at, heartbeat_at, dead_at, buried_at, signed_off) FROM stdin;
557005edd1f641a2a7aa4d288aa8a9a9	a-machine	26079	1	2026-11-24 07:18:09.118505+00	2026-11-24 07:18:15.648758+00	2026-11-24 07:18:18.441008+00	2026-11-24 07:18:18.445438+00	f
f92b04a603564afd92e1ea4848b2a926	a-machine	26263	4	2026-11-24 07:18:22.573757+00	2026-11-24 07:18:22.573757+00	\N	\N	f
\.


--
-- Name: approvals_asked_seq; Type: SEQUENCE SET; Schema: public; Owner: -
--

SELECT pg_catalog.setval('public.approvals_asked_seq', 8, true);


--
-- Name: audit_id_seq; Type: SEQUENCE SET; Schema: public; Owner: -
--

SELECT pg_catalog.setval('public.audit_id_seq', 44, true);


--
-- Name: inbox_id_seq; Type: SEQUENCE SET; Schema: public; Owner: -
--

SELECT pg_catalog.setval('public.inbox_id_seq', 14, true);


--
-- Name: leases_token_seq; Type: SEQUENCE SET; Schema: public; Owner: -
--

SELECT pg_catalog.setval('public.leases_token_seq', 10, true);


--
-- Name: nodes_noted_seq; Type: SEQUENCE SET; Schema: public; Owner: -
--

SELECT pg_catalog.setval('public.nodes_noted_seq', 34, true);


--
-- Name: procrastinate_events_id_seq; Type: SEQUENCE SET; Schema: public; Owner: -
--

SELECT pg_catalog.setval('public.procrastinate_events_id_seq', 20, true);


--
-- Name: procrastinate_jobs_id_seq; Type: SEQUENCE SET; Schema: public; Owner: -
--

SELECT pg_catalog.setval('public.procrastinate_jobs_id_seq', 10, true);


--
-- Name: procrastinate_periodic_defers_id_seq; Type: SEQUENCE SET; Schema: public; Owner: -
--

SELECT pg_catalog.setval('public.procrastinate_periodic_defers_id_seq', 1, false);


--
-- Name: procrastinate_workers_id_seq; Type: SEQUENCE SET; Schema: public; Owner: -
--

SELECT pg_catalog.setval('public.procrastinate_workers_id_seq', 4, true);


--
-- Name: alembic_version alembic_version_pkc; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.alembic_version
    ADD CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num);


--
-- Name: checkpoint_blobs checkpoint_blobs_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.checkpoint_blobs
    ADD CONSTRAINT checkpoint_blobs_pkey PRIMARY KEY (thread_id, checkpoint_ns, channel, version);


--
-- Name: checkpoint_migrations checkpoint_migrations_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.checkpoint_migrations
    ADD CONSTRAINT checkpoint_migrations_pkey PRIMARY KEY (v);


--
-- Name: checkpoint_writes checkpoint_writes_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.checkpoint_writes
    ADD CONSTRAINT checkpoint_writes_pkey PRIMARY KEY (thread_id, checkpoint_ns, checkpoint_id, task_id, idx);


--
-- Name: checkpoints checkpoints_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.checkpoints
    ADD CONSTRAINT checkpoints_pkey PRIMARY KEY (thread_id, checkpoint_ns, checkpoint_id);


--
-- Name: approvals pk_approvals; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.approvals
    ADD CONSTRAINT pk_approvals PRIMARY KEY (tenant, id);


--
-- Name: artifact_uses pk_artifact_uses; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.artifact_uses
    ADD CONSTRAINT pk_artifact_uses PRIMARY KEY (tenant, thread, digest);


--
-- Name: artifacts pk_artifacts; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.artifacts
    ADD CONSTRAINT pk_artifacts PRIMARY KEY (tenant, digest);


--
-- Name: attempts pk_attempts; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.attempts
    ADD CONSTRAINT pk_attempts PRIMARY KEY (tenant, thread, node, attempt);


--
-- Name: audit pk_audit; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.audit
    ADD CONSTRAINT pk_audit PRIMARY KEY (tenant, id);


--
-- Name: audit_heads pk_audit_heads; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.audit_heads
    ADD CONSTRAINT pk_audit_heads PRIMARY KEY (tenant);


--
-- Name: audit_links pk_audit_links; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.audit_links
    ADD CONSTRAINT pk_audit_links PRIMARY KEY (tenant, seq);


--
-- Name: audit_people pk_audit_people; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.audit_people
    ADD CONSTRAINT pk_audit_people PRIMARY KEY (tenant, person);


--
-- Name: freezes pk_freezes; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.freezes
    ADD CONSTRAINT pk_freezes PRIMARY KEY (tenant, scope, target);


--
-- Name: grants pk_grants; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.grants
    ADD CONSTRAINT pk_grants PRIMARY KEY (tenant, id);


--
-- Name: inbox pk_inbox; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.inbox
    ADD CONSTRAINT pk_inbox PRIMARY KEY (tenant, id);


--
-- Name: leases pk_leases; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.leases
    ADD CONSTRAINT pk_leases PRIMARY KEY (tenant, thread);


--
-- Name: ledger pk_ledger; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.ledger
    ADD CONSTRAINT pk_ledger PRIMARY KEY (tenant, thread, node, attempt);


--
-- Name: nodes pk_nodes; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.nodes
    ADD CONSTRAINT pk_nodes PRIMARY KEY (tenant, thread, node);


--
-- Name: operations pk_operations; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.operations
    ADD CONSTRAINT pk_operations PRIMARY KEY (tenant, thread, seq);


--
-- Name: posts pk_posts; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.posts
    ADD CONSTRAINT pk_posts PRIMARY KEY (tenant, thread, turn, post, key);


--
-- Name: queue_migrations pk_queue_migrations; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.queue_migrations
    ADD CONSTRAINT pk_queue_migrations PRIMARY KEY (name);


--
-- Name: results pk_results; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.results
    ADD CONSTRAINT pk_results PRIMARY KEY (tenant, author, tool, version, arguments);


--
-- Name: runs pk_runs; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.runs
    ADD CONSTRAINT pk_runs PRIMARY KEY (tenant, thread, turn);


--
-- Name: summaries pk_summaries; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.summaries
    ADD CONSTRAINT pk_summaries PRIMARY KEY (tenant, thread);


--
-- Name: threads pk_threads; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.threads
    ADD CONSTRAINT pk_threads PRIMARY KEY (tenant, thread);


--
-- Name: votes pk_votes; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.votes
    ADD CONSTRAINT pk_votes PRIMARY KEY (tenant, approval, digest, stages, by);


--
-- Name: worker_sessions pk_worker_sessions; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.worker_sessions
    ADD CONSTRAINT pk_worker_sessions PRIMARY KEY (worker);


--
-- Name: workers pk_workers; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.workers
    ADD CONSTRAINT pk_workers PRIMARY KEY (id);


--
-- Name: procrastinate_events procrastinate_events_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.procrastinate_events
    ADD CONSTRAINT procrastinate_events_pkey PRIMARY KEY (id);


--
-- Name: procrastinate_jobs procrastinate_jobs_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.procrastinate_jobs
    ADD CONSTRAINT procrastinate_jobs_pkey PRIMARY KEY (id);


--
-- Name: procrastinate_periodic_defers procrastinate_periodic_defers_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.procrastinate_periodic_defers
    ADD CONSTRAINT procrastinate_periodic_defers_pkey PRIMARY KEY (id);


--
-- Name: procrastinate_periodic_defers procrastinate_periodic_defers_unique; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.procrastinate_periodic_defers
    ADD CONSTRAINT procrastinate_periodic_defers_unique UNIQUE (task_name, periodic_id, defer_timestamp);


--
-- Name: procrastinate_workers procrastinate_workers_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.procrastinate_workers
    ADD CONSTRAINT procrastinate_workers_pkey PRIMARY KEY (id);


--
-- Name: audit_links uq_audit_links_tenant_entry; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.audit_links
    ADD CONSTRAINT uq_audit_links_tenant_entry UNIQUE (tenant, entry);


--
-- Name: inbox uq_inbox_tenant_app_event_id; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.inbox
    ADD CONSTRAINT uq_inbox_tenant_app_event_id UNIQUE (tenant, app, event_id);


--
-- Name: inbox uq_inbox_tenant_channel_ts; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.inbox
    ADD CONSTRAINT uq_inbox_tenant_channel_ts UNIQUE (tenant, channel, ts);


--
-- Name: operations uq_operations_tenant_thread_adds; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.operations
    ADD CONSTRAINT uq_operations_tenant_thread_adds UNIQUE (tenant, thread, adds);


--
-- Name: checkpoint_blobs_thread_id_idx; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX checkpoint_blobs_thread_id_idx ON public.checkpoint_blobs USING btree (thread_id);


--
-- Name: checkpoint_writes_thread_id_idx; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX checkpoint_writes_thread_id_idx ON public.checkpoint_writes USING btree (thread_id);


--
-- Name: checkpoints_thread_id_idx; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX checkpoints_thread_id_idx ON public.checkpoints USING btree (thread_id);


--
-- Name: idx_procrastinate_jobs_worker_not_null; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX idx_procrastinate_jobs_worker_not_null ON public.procrastinate_jobs USING btree (worker_id) WHERE ((worker_id IS NOT NULL) AND (status = 'doing'::public.procrastinate_job_status));


--
-- Name: idx_procrastinate_workers_last_heartbeat; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX idx_procrastinate_workers_last_heartbeat ON public.procrastinate_workers USING btree (last_heartbeat);


--
-- Name: ix_approvals_due; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX ix_approvals_due ON public.approvals USING btree (due_at) WHERE (status = 'pending'::text);


--
-- Name: ix_approvals_expiring; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX ix_approvals_expiring ON public.approvals USING btree (expires_at) WHERE (status = 'pending'::text);


--
-- Name: ix_approvals_id; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX ix_approvals_id ON public.approvals USING btree (id);


--
-- Name: ix_approvals_of_tool; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX ix_approvals_of_tool ON public.approvals USING btree (tenant, tool, asked_at);


--
-- Name: ix_approvals_open_of_author; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX ix_approvals_open_of_author ON public.approvals USING btree (tenant, author) WHERE (status = 'pending'::text);


--
-- Name: ix_approvals_tenant_thread_asked; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX ix_approvals_tenant_thread_asked ON public.approvals USING btree (tenant, thread, asked);


--
-- Name: ix_artifact_uses_tenant_digest; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX ix_artifact_uses_tenant_digest ON public.artifact_uses USING btree (tenant, digest);


--
-- Name: ix_audit_tenant_thread_id; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX ix_audit_tenant_thread_id ON public.audit USING btree (tenant, thread, id);


--
-- Name: ix_grants_tenant_tool; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX ix_grants_tenant_tool ON public.grants USING btree (tenant, tool);


--
-- Name: ix_inbox_tenant_thread_id; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX ix_inbox_tenant_thread_id ON public.inbox USING btree (tenant, thread, id);


--
-- Name: ix_inbox_untaken; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX ix_inbox_untaken ON public.inbox USING btree (tenant, thread) WHERE (turn IS NULL);


--
-- Name: ix_leases_worker; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX ix_leases_worker ON public.leases USING btree (worker);


--
-- Name: ix_nodes_tenant_thread_turn; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX ix_nodes_tenant_thread_turn ON public.nodes USING btree (tenant, thread, turn);


--
-- Name: ix_results_expires_at; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX ix_results_expires_at ON public.results USING btree (expires_at);


--
-- Name: ix_runs_open_in_channel; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX ix_runs_open_in_channel ON public.runs USING btree (tenant, channel) WHERE (ended_at IS NULL);


--
-- Name: ix_runs_open_of_requester; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX ix_runs_open_of_requester ON public.runs USING btree (tenant, requester) WHERE (ended_at IS NULL);


--
-- Name: ix_runs_unsettled; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX ix_runs_unsettled ON public.runs USING btree (tenant, thread) WHERE (NOT settled);


--
-- Name: procrastinate_events_job_id_fkey_v1; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX procrastinate_events_job_id_fkey_v1 ON public.procrastinate_events USING btree (job_id);


--
-- Name: procrastinate_jobs_id_lock_idx_v1; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX procrastinate_jobs_id_lock_idx_v1 ON public.procrastinate_jobs USING btree (id, lock) WHERE (status = ANY (ARRAY['todo'::public.procrastinate_job_status, 'doing'::public.procrastinate_job_status]));


--
-- Name: procrastinate_jobs_lock_idx_v1; Type: INDEX; Schema: public; Owner: -
--

CREATE UNIQUE INDEX procrastinate_jobs_lock_idx_v1 ON public.procrastinate_jobs USING btree (lock) WHERE (status = 'doing'::public.procrastinate_job_status);


--
-- Name: procrastinate_jobs_priority_idx_v1; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX procrastinate_jobs_priority_idx_v1 ON public.procrastinate_jobs USING btree (priority DESC, id) WHERE (status = 'todo'::public.procrastinate_job_status);


--
-- Name: procrastinate_jobs_queue_name_idx_v1; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX procrastinate_jobs_queue_name_idx_v1 ON public.procrastinate_jobs USING btree (queue_name);


--
-- Name: procrastinate_jobs_queueing_lock_idx_v1; Type: INDEX; Schema: public; Owner: -
--

CREATE UNIQUE INDEX procrastinate_jobs_queueing_lock_idx_v1 ON public.procrastinate_jobs USING btree (queueing_lock) WHERE (status = 'todo'::public.procrastinate_job_status);


--
-- Name: procrastinate_periodic_defers_job_id_fkey_v1; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX procrastinate_periodic_defers_job_id_fkey_v1 ON public.procrastinate_periodic_defers USING btree (job_id);


--
-- Name: audit greenlight_audit_erase_only; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER greenlight_audit_erase_only BEFORE UPDATE ON public.audit FOR EACH ROW EXECUTE FUNCTION public.greenlight_audit_erase_only();


--
-- Name: audit greenlight_audit_link; Type: TRIGGER; Schema: public; Owner: -
--

CREATE CONSTRAINT TRIGGER greenlight_audit_link AFTER INSERT ON public.audit DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION public.greenlight_audit_link();


--
-- Name: audit greenlight_audit_refuse; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER greenlight_audit_refuse BEFORE DELETE ON public.audit FOR EACH ROW EXECUTE FUNCTION public.greenlight_audit_refuse();


--
-- Name: audit_links greenlight_audit_refuse; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER greenlight_audit_refuse BEFORE DELETE OR UPDATE ON public.audit_links FOR EACH ROW EXECUTE FUNCTION public.greenlight_audit_refuse();


--
-- Name: audit greenlight_audit_refuse_all; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER greenlight_audit_refuse_all BEFORE TRUNCATE ON public.audit FOR EACH STATEMENT EXECUTE FUNCTION public.greenlight_audit_refuse();


--
-- Name: audit_heads greenlight_audit_refuse_all; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER greenlight_audit_refuse_all BEFORE TRUNCATE ON public.audit_heads FOR EACH STATEMENT EXECUTE FUNCTION public.greenlight_audit_refuse();


--
-- Name: audit_links greenlight_audit_refuse_all; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER greenlight_audit_refuse_all BEFORE TRUNCATE ON public.audit_links FOR EACH STATEMENT EXECUTE FUNCTION public.greenlight_audit_refuse();


--
-- Name: audit_heads greenlight_audit_refuse_direct; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER greenlight_audit_refuse_direct BEFORE INSERT OR DELETE OR UPDATE ON public.audit_heads FOR EACH ROW WHEN ((pg_trigger_depth() = 0)) EXECUTE FUNCTION public.greenlight_audit_refuse();


--
-- Name: audit_links greenlight_audit_refuse_direct; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER greenlight_audit_refuse_direct BEFORE INSERT ON public.audit_links FOR EACH ROW WHEN ((pg_trigger_depth() = 0)) EXECUTE FUNCTION public.greenlight_audit_refuse();


--
-- Name: procrastinate_jobs greenlight_hand_over_lock_delete; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER greenlight_hand_over_lock_delete AFTER DELETE ON public.procrastinate_jobs FOR EACH ROW WHEN (((old.status = 'doing'::public.procrastinate_job_status) AND (old.lock IS NOT NULL))) EXECUTE FUNCTION public.greenlight_hand_over_lock();


--
-- Name: procrastinate_jobs greenlight_hand_over_lock_update; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER greenlight_hand_over_lock_update AFTER UPDATE OF status ON public.procrastinate_jobs FOR EACH ROW WHEN (((old.status = 'doing'::public.procrastinate_job_status) AND (new.status <> 'doing'::public.procrastinate_job_status) AND (old.lock IS NOT NULL))) EXECUTE FUNCTION public.greenlight_hand_over_lock();


--
-- Name: procrastinate_workers greenlight_know_queue_worker; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER greenlight_know_queue_worker AFTER INSERT ON public.procrastinate_workers FOR EACH ROW EXECUTE FUNCTION public.greenlight_know_queue_worker();


--
-- Name: procrastinate_jobs procrastinate_jobs_notify_queue_job_aborted_v1; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER procrastinate_jobs_notify_queue_job_aborted_v1 AFTER UPDATE OF abort_requested ON public.procrastinate_jobs FOR EACH ROW WHEN (((old.abort_requested = false) AND (new.abort_requested = true) AND (new.status = 'doing'::public.procrastinate_job_status))) EXECUTE FUNCTION public.procrastinate_notify_queue_abort_job_v1();


--
-- Name: procrastinate_jobs procrastinate_jobs_notify_queue_job_inserted_v1; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER procrastinate_jobs_notify_queue_job_inserted_v1 AFTER INSERT ON public.procrastinate_jobs FOR EACH ROW WHEN ((new.status = 'todo'::public.procrastinate_job_status)) EXECUTE FUNCTION public.procrastinate_notify_queue_job_inserted_v1();


--
-- Name: procrastinate_jobs procrastinate_trigger_abort_requested_events_v1; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER procrastinate_trigger_abort_requested_events_v1 AFTER UPDATE OF abort_requested ON public.procrastinate_jobs FOR EACH ROW WHEN ((new.abort_requested = true)) EXECUTE FUNCTION public.procrastinate_trigger_abort_requested_events_procedure_v1();


--
-- Name: procrastinate_jobs procrastinate_trigger_delete_jobs_v1; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER procrastinate_trigger_delete_jobs_v1 BEFORE DELETE ON public.procrastinate_jobs FOR EACH ROW EXECUTE FUNCTION public.procrastinate_unlink_periodic_defers_v1();


--
-- Name: procrastinate_jobs procrastinate_trigger_scheduled_events_v1; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER procrastinate_trigger_scheduled_events_v1 AFTER INSERT OR UPDATE ON public.procrastinate_jobs FOR EACH ROW WHEN (((new.scheduled_at IS NOT NULL) AND (new.status = 'todo'::public.procrastinate_job_status))) EXECUTE FUNCTION public.procrastinate_trigger_function_scheduled_events_v1();


--
-- Name: procrastinate_jobs procrastinate_trigger_status_events_insert_v1; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER procrastinate_trigger_status_events_insert_v1 AFTER INSERT ON public.procrastinate_jobs FOR EACH ROW WHEN ((new.status = 'todo'::public.procrastinate_job_status)) EXECUTE FUNCTION public.procrastinate_trigger_function_status_events_insert_v1();


--
-- Name: procrastinate_jobs procrastinate_trigger_status_events_update_v1; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER procrastinate_trigger_status_events_update_v1 AFTER UPDATE OF status ON public.procrastinate_jobs FOR EACH ROW EXECUTE FUNCTION public.procrastinate_trigger_function_status_events_update_v1();


--
-- Name: artifact_uses fk_artifact_uses_tenant_digest; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.artifact_uses
    ADD CONSTRAINT fk_artifact_uses_tenant_digest FOREIGN KEY (tenant, digest) REFERENCES public.artifacts(tenant, digest);


--
-- Name: leases fk_leases_worker; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.leases
    ADD CONSTRAINT fk_leases_worker FOREIGN KEY (worker) REFERENCES public.workers(id);


--
-- Name: procrastinate_events procrastinate_events_job_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.procrastinate_events
    ADD CONSTRAINT procrastinate_events_job_id_fkey FOREIGN KEY (job_id) REFERENCES public.procrastinate_jobs(id) ON DELETE CASCADE;


--
-- Name: procrastinate_jobs procrastinate_jobs_worker_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.procrastinate_jobs
    ADD CONSTRAINT procrastinate_jobs_worker_id_fkey FOREIGN KEY (worker_id) REFERENCES public.procrastinate_workers(id) ON DELETE SET NULL;


--
-- Name: procrastinate_periodic_defers procrastinate_periodic_defers_job_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.procrastinate_periodic_defers
    ADD CONSTRAINT procrastinate_periodic_defers_job_id_fkey FOREIGN KEY (job_id) REFERENCES public.procrastinate_jobs(id);


--
-- PostgreSQL database dump complete
--



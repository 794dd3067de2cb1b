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


SET default_tablespace = '';

SET default_table_access_method = heap;

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
    decided_at timestamp with time zone
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
    finished_at timestamp with time zone
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
    packing json DEFAULT '{}'::json NOT NULL
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
    looked_for_at timestamp with time zone
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
    buried_at timestamp with time zone
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
0009
\.


--
-- Data for Name: approvals; Type: TABLE DATA; Schema: public; Owner: -
--

COPY public.approvals (tenant, id, thread, turn, node, kind, title, tool, args, digest, author, attempt, blocks, asked, asked_at, expires_at, version, status, decided_by, reason, decided_at) FROM stdin;
T0LOCAL	d585aae6e0ea800a401483a0bfa750c3	T0LOCAL:C0OPS:1795361077.353857	1	tell	approve	Title of tell	slack_post_message	{"channel":"#incidents","text":"all is well on third"}	e3f145d89978a7781a6e135bec23d89fb4ea83de66f82752cfd718dd8b1c3e02	U0ADA	1	["Title of after"]	1	2026-11-22 15:25:10.321998+00	\N	1	pending	\N		\N
T0LOCAL	12b8c36909ffcfaa13a7cda17d478a8b	T0LOCAL:C0OPS:1795361111.230644	1		rounds		reflection	{}	a9a6145e23d48ce05d3246d619072ac78afe159df228af988ce1a80b22e8b8e8	U0ADA	1	["Title of look4"]	2	2026-11-22 15:25:14.733647+00	\N	1	pending	\N		\N
T0LOCAL	6b60c4f78b05769278ba0efdd77a93c8	T0LOCAL:C0OPS:1795361115.280261	1		ask	Which region do you mean?	reflection	{}	ee7e2582920dae81d1e02b0348eb6ef295d6a6ae501bd9456ba10e48444368ae	U0ADA	1	[]	3	2026-11-22 15:25:17.659939+00	\N	1	pending	\N		\N
T0LOCAL	9b574f4f475ac9f8f78aba8ece17b1f4	T0LOCAL:C0OPS:1795361118.231631	1	tell-2	approve	Title of tell (3 of 3)	slack_post_message	{"channel":"#incidents","text":"host c is down"}	08dd4bc61eded2d0eedc8d2d260714f0f17871e44ecfd39464dad988f2f938e5	U0ADA	1	["Title of behind"]	5	2026-11-22 15:25:19.166877+00	\N	1	pending	\N		\N
T0LOCAL	ec23e60611135303c34931fd0c2ac20b	T0LOCAL:C0OPS:1795361118.231631	1	tell-0	approve	Title of tell (1 of 3)	slack_post_message	{"channel":"#incidents","text":"host a is down"}	dd9bb4212f94382d2eedf9c9feac5c3489d4e01493a015b976f49b52a3026ab2	U0ADA	1	["Title of behind"]	4	2026-11-22 15:25:19.163714+00	\N	1	approved	U0GRACE		2026-11-22 15:25:19.979323+00
T0LOCAL	23973663e8058a64052f4ee0adc1a5d1	T0LOCAL:C0OPS:1795361120.975637	1	tell	approve	Title of tell	slack_post_message	{"channel":"#incidents","text":"what is unknown"}	61841264d1c2a7e11f0135367a1fdb3a0e674903ae3bcccf3c9eac427acfeccf	U0ADA	1	[]	8	2026-11-22 15:25:21.485575+00	\N	1	approved	U0GRACE		2026-11-22 15:25:21.86252+00
T0LOCAL	4dfd7227df9bef6c052f4ee0adc1a5d1	T0LOCAL:C0OPS:1795361120.975637	1	tell	unknown	Title of tell	slack_post_message	{"channel":"#incidents","text":"what is unknown"}	61841264d1c2a7e11f0135367a1fdb3a0e674903ae3bcccf3c9eac427acfeccf	U0ADA	1	["Title of after"]	10	2026-11-22 15:26:01.651373+00	\N	1	pending	\N		\N
T0LOCAL	fa032e9a84cae897dd85c303b69148c7	T0LOCAL:C0OPS:1795361166.548515	1		budget		budget	{"breaches":[{"scope":"run","measure":"nodes","used":1,"most":1}],"currency":"$"}	c63a0852b04190935e2eb06e751a149415b5e93143c968b6e4dfec16da039f10	U0ADA	1	[]	11	2026-11-22 15:26:42.250967+00	\N	1	pending	\N		\N
\.


--
-- Data for Name: artifact_uses; Type: TABLE DATA; Schema: public; Owner: -
--

COPY public.artifact_uses (tenant, thread, digest, name, media_type, used_at) FROM stdin;
T0LOCAL	T0LOCAL:C0OPS:1795361077.353857	de56099fcec1f41ff599e5bb3392fc0074c7890f4104f6fa06c03e4513d859a8	third-attempt-1.json	application/json	2026-11-22 15:25:10.182754+00
T0LOCAL	T0LOCAL:C0OPS:1795361206.074368	10f8e19e62d585afa0ae2f92390706e5b7cf93fd4e0a2b85a14b4fe10d4a1d39	count-attempt-1.json	application/json	2026-11-22 15:27:20.864825+00
\.


--
-- Data for Name: artifacts; Type: TABLE DATA; Schema: public; Owner: -
--

COPY public.artifacts (tenant, digest, content, created_at) FROM stdin;
T0LOCAL	de56099fcec1f41ff599e5bb3392fc0074c7890f4104f6fa06c03e4513d859a8	\\x7b22616e7377657273223a5b5d2c2263616c6c73223a5b7b2261726773223a227b5c226368616e6e656c5c223a205c222367656e6572616c5c222c205c227468726561645f74735c223a205c22313739353336313037372e3136323436375c227d222c226d696c6c697365636f6e6473223a33372e312c226f6b223a747275652c22746f6f6c223a22736c61636b5f726561645f6368616e6e656c227d2c7b2261726773223a227b5c226368616e6e656c5c223a205c222367656e6572616c5c222c205c227468726561645f74735c223a205c22313739353336313037372e3136333235355c227d222c226d696c6c697365636f6e6473223a34392e302c226f6b223a747275652c22746f6f6c223a22736c61636b5f726561645f6368616e6e656c227d5d2c226c6f6773223a22227d	2026-11-22 15:25:10.182754+00
T0LOCAL	10f8e19e62d585afa0ae2f92390706e5b7cf93fd4e0a2b85a14b4fe10d4a1d39	\\x7b22616e7377657273223a5b7b2263616c6c223a225b5c22736c61636b5f726561645f6368616e6e656c5c222c7b5c226368616e6e656c5c223a5c222367656e6572616c5c222c5c227468726561645f74735c223a5c22313739353336313037372e3231373531375c227d5d222c2276616c7565223a7b226368616e6e656c223a7b226964223a22433047454e4552414c222c226e616d65223a2267656e6572616c227d2c226d65737361676573223a5b7b226174223a22323032362d31312d32325431353a32343a33372b30303a3030222c22617574686f72223a7b226964223a225530414441222c226e616d65223a22416461204c6f76656c616365227d2c2274657874223a22636f756e746564222c227473223a22313739353336313037372e323137353137227d5d2c227472756e6361746564223a66616c73657d7d5d2c2263616c6c73223a5b7b2261726773223a227b5c226368616e6e656c5c223a205c222367656e6572616c5c222c205c227468726561645f74735c223a205c22313739353336313037372e3231373531375c227d222c226d696c6c697365636f6e6473223a342e312c226f6b223a747275652c22746f6f6c223a22736c61636b5f726561645f6368616e6e656c227d5d2c226c6f6773223a22227d	2026-11-22 15:27:20.864825+00
\.


--
-- Data for Name: attempts; Type: TABLE DATA; Schema: public; Owner: -
--

COPY public.attempts (tenant, thread, node, attempt, kind, code, error, traceback, milliseconds, at, of, record) FROM stdin;
T0LOCAL	T0LOCAL:C0OPS:1795361077.353857	third	1	ok	# Packed: second -> third\ndef main(inputs):\n    second = tools.slack_read_channel(channel='#general', thread_ts='1795361077.162467')\n    return tools.slack_read_channel(channel='#general', thread_ts='1795361077.163255')\n			334.908	2026-11-22 15:25:10.140864+00	f172f20d107a9c4e1a69f99a43be533fab17f5ea1a51f8d5a2251f3f9ea97409	de56099fcec1f41ff599e5bb3392fc0074c7890f4104f6fa06c03e4513d859a8
T0LOCAL	T0LOCAL:C0OPS:1795361118.231631	find	1	ok	def main(inputs):\n    hosts = [{'name': name, 'down': name != 'b'} for name in ['a', 'b', 'c']]\n    return {'hosts': hosts}\n			46.94	2026-11-22 15:25:19.070409+00	9f0ca0534fddc37a88369ab6529c9c3917704e934bf6c448f4497fd593691d23	\N
T0LOCAL	T0LOCAL:C0OPS:1795361206.074368	count	1	error	def main(inputs):\n    page = tools.slack_read_channel(channel=inputs["channel"], thread_ts=inputs["ts"])\n    return {"counted": len(page["messages"]), "of": page["kinds"]}\n	KeyError: 'kinds'	Traceback (most recent call last):\n  File "script.py", line 3, in main\n    return {"counted": len(page["messages"]), "of": page["kinds"]}\nKeyError: 'kinds'	25.572	2026-11-22 15:27:20.860391+00	1c22707a76913642ed9dcb17d35adf9171efe58bcb19259f35d4df742f749394	10f8e19e62d585afa0ae2f92390706e5b7cf93fd4e0a2b85a14b4fe10d4a1d39
\.


--
-- Data for Name: audit; Type: TABLE DATA; Schema: public; Owner: -
--

COPY public.audit (tenant, id, at, thread, node, event, by, digest, details) FROM stdin;
T0LOCAL	1	2026-11-22 15:25:10.323271+00	T0LOCAL:C0OPS:1795361077.353857	tell	asked	U0ADA	e3f145d89978a7781a6e135bec23d89fb4ea83de66f82752cfd718dd8b1c3e02	{"question":"d585aae6e0ea800a401483a0bfa750c3","kind":"approve","tool":"slack_post_message"}
T0LOCAL	2	2026-11-22 15:25:10.372838+00	T0LOCAL:C0OPS:1795361077.353857	third	called	\N	d45dd6b230d6fa65be74468954333dc4432c12ca740603e20c1f41a1eae5457d	{"attempt":1,"kind":"ok","calls":[{"tool":"slack_read_channel","ok":true},{"tool":"slack_read_channel","ok":true}]}
T0LOCAL	3	2026-11-22 15:25:14.734405+00	T0LOCAL:C0OPS:1795361111.230644		asked	U0ADA	a9a6145e23d48ce05d3246d619072ac78afe159df228af988ce1a80b22e8b8e8	{"question":"12b8c36909ffcfaa13a7cda17d478a8b","kind":"rounds","tool":"reflection"}
T0LOCAL	4	2026-11-22 15:25:17.660835+00	T0LOCAL:C0OPS:1795361115.280261		asked	U0ADA	ee7e2582920dae81d1e02b0348eb6ef295d6a6ae501bd9456ba10e48444368ae	{"question":"6b60c4f78b05769278ba0efdd77a93c8","kind":"ask","tool":"reflection"}
T0LOCAL	5	2026-11-22 15:25:19.164387+00	T0LOCAL:C0OPS:1795361118.231631	tell-0	asked	U0ADA	dd9bb4212f94382d2eedf9c9feac5c3489d4e01493a015b976f49b52a3026ab2	{"question":"ec23e60611135303c34931fd0c2ac20b","kind":"approve","tool":"slack_post_message"}
T0LOCAL	6	2026-11-22 15:25:19.167457+00	T0LOCAL:C0OPS:1795361118.231631	tell-2	asked	U0ADA	08dd4bc61eded2d0eedc8d2d260714f0f17871e44ecfd39464dad988f2f938e5	{"question":"9b574f4f475ac9f8f78aba8ece17b1f4","kind":"approve","tool":"slack_post_message"}
T0LOCAL	7	2026-11-22 15:25:19.984649+00	T0LOCAL:C0OPS:1795361118.231631	tell-0	decided	U0GRACE	dd9bb4212f94382d2eedf9c9feac5c3489d4e01493a015b976f49b52a3026ab2	{"question":"ec23e60611135303c34931fd0c2ac20b","decision":"approved"}
T0LOCAL	8	2026-11-22 15:25:20.532909+00	T0LOCAL:C0OPS:1795361118.231631	tell-0	started	\N	dd9bb4212f94382d2eedf9c9feac5c3489d4e01493a015b976f49b52a3026ab2	{"attempt":1}
T0LOCAL	9	2026-11-22 15:25:20.610804+00	T0LOCAL:C0OPS:1795361118.231631	tell-0	finished	\N	dd9bb4212f94382d2eedf9c9feac5c3489d4e01493a015b976f49b52a3026ab2	{"attempt":1,"state":"succeeded"}
T0LOCAL	10	2026-11-22 15:25:21.486096+00	T0LOCAL:C0OPS:1795361120.975637	tell	asked	U0ADA	61841264d1c2a7e11f0135367a1fdb3a0e674903ae3bcccf3c9eac427acfeccf	{"question":"23973663e8058a64052f4ee0adc1a5d1","kind":"approve","tool":"slack_post_message"}
T0LOCAL	11	2026-11-22 15:25:21.906359+00	T0LOCAL:C0OPS:1795361120.975637	tell	decided	U0GRACE	61841264d1c2a7e11f0135367a1fdb3a0e674903ae3bcccf3c9eac427acfeccf	{"question":"23973663e8058a64052f4ee0adc1a5d1","decision":"approved"}
T0LOCAL	12	2026-11-22 15:25:22.751794+00	T0LOCAL:C0OPS:1795361120.975637	tell	started	\N	61841264d1c2a7e11f0135367a1fdb3a0e674903ae3bcccf3c9eac427acfeccf	{"attempt":1}
T0LOCAL	13	2026-11-22 15:26:01.652257+00	T0LOCAL:C0OPS:1795361120.975637	tell	asked	U0ADA	61841264d1c2a7e11f0135367a1fdb3a0e674903ae3bcccf3c9eac427acfeccf	{"question":"4dfd7227df9bef6c052f4ee0adc1a5d1","kind":"unknown","tool":"slack_post_message"}
T0LOCAL	14	2026-11-22 15:26:42.251908+00	T0LOCAL:C0OPS:1795361166.548515		asked	U0ADA	c63a0852b04190935e2eb06e751a149415b5e93143c968b6e4dfec16da039f10	{"question":"fa032e9a84cae897dd85c303b69148c7","kind":"budget","tool":"budget"}
T0LOCAL	15	2026-11-22 15:27:20.894576+00	T0LOCAL:C0OPS:1795361206.074368	count	called	\N	bc2b277c71be56d264a515ccfcecd2cacb1ea26d97ee037628ce95f8ce8d252f	{"attempt":1,"kind":"error","calls":[{"tool":"slack_read_channel","ok":true}]}
\.


--
-- Data for Name: checkpoint_blobs; Type: TABLE DATA; Schema: public; Owner: -
--

COPY public.checkpoint_blobs (thread_id, checkpoint_ns, channel, version, type, blob) FROM stdin;
T0LOCAL:C0OPS:1795361077.353857		__start__	00000000000000000000000000000001.0.9170840908946434	msgpack	\\x82a47475726e01a6726f756e647300
T0LOCAL:C0OPS:1795361111.230644		__start__	00000000000000000000000000000001.0.45963282762843416	msgpack	\\x82a47475726e01a6726f756e647300
T0LOCAL:C0OPS:1795361111.230644		results	00000000000000000000000000000003.0.3841410381918505	msgpack	\\x81a56c6f6f6b3082a57374617465a9737563636565646564a576616c756583a76368616e6e656c82a26964a9433047454e4552414ca46e616d65a767656e6572616ca86d657373616765739184a27473b1313739353336313037372e313739313138a26174b9323032362d31312d32325431353a32343a33372b30303a3030a6617574686f7282a26964a55530414441a46e616d65ac416461204c6f76656c616365a474657874a7726f756e642d30a97472756e6361746564c2
T0LOCAL:C0OPS:1795361111.230644		results	00000000000000000000000000000005.0.25616263069154677	msgpack	\\x82a56c6f6f6b3082a57374617465a9737563636565646564a576616c756583a76368616e6e656c82a26964a9433047454e4552414ca46e616d65a767656e6572616ca86d657373616765739184a27473b1313739353336313037372e313739313138a26174b9323032362d31312d32325431353a32343a33372b30303a3030a6617574686f7282a26964a55530414441a46e616d65ac416461204c6f76656c616365a474657874a7726f756e642d30a97472756e6361746564c2a56c6f6f6b3182a57374617465a9737563636565646564a576616c756583a76368616e6e656c82a26964a9433047454e4552414ca46e616d65a767656e6572616ca86d657373616765739184a27473b1313739353336313037372e313739373436a26174b9323032362d31312d32325431353a32343a33372b30303a3030a6617574686f7282a26964a55530414441a46e616d65ac416461204c6f76656c616365a474657874a7726f756e642d31a97472756e6361746564c2
T0LOCAL:C0OPS:1795361111.230644		results	00000000000000000000000000000007.0.2756785438012487	msgpack	\\x83a56c6f6f6b3082a57374617465a9737563636565646564a576616c756583a76368616e6e656c82a26964a9433047454e4552414ca46e616d65a767656e6572616ca86d657373616765739184a27473b1313739353336313037372e313739313138a26174b9323032362d31312d32325431353a32343a33372b30303a3030a6617574686f7282a26964a55530414441a46e616d65ac416461204c6f76656c616365a474657874a7726f756e642d30a97472756e6361746564c2a56c6f6f6b3182a57374617465a9737563636565646564a576616c756583a76368616e6e656c82a26964a9433047454e4552414ca46e616d65a767656e6572616ca86d657373616765739184a27473b1313739353336313037372e313739373436a26174b9323032362d31312d32325431353a32343a33372b30303a3030a6617574686f7282a26964a55530414441a46e616d65ac416461204c6f76656c616365a474657874a7726f756e642d31a97472756e6361746564c2a56c6f6f6b3282a57374617465a9737563636565646564a576616c756583a76368616e6e656c82a26964a9433047454e4552414ca46e616d65a767656e6572616ca86d657373616765739184a27473b1313739353336313037372e313837383936a26174b9323032362d31312d32325431353a32343a33372b30303a3030a6617574686f7282a26964a55530414441a46e616d65ac416461204c6f76656c616365a474657874a7726f756e642d32a97472756e6361746564c2
T0LOCAL:C0OPS:1795361111.230644		results	00000000000000000000000000000009.0.37369724390400694	msgpack	\\x84a56c6f6f6b3082a57374617465a9737563636565646564a576616c756583a76368616e6e656c82a26964a9433047454e4552414ca46e616d65a767656e6572616ca86d657373616765739184a27473b1313739353336313037372e313739313138a26174b9323032362d31312d32325431353a32343a33372b30303a3030a6617574686f7282a26964a55530414441a46e616d65ac416461204c6f76656c616365a474657874a7726f756e642d30a97472756e6361746564c2a56c6f6f6b3182a57374617465a9737563636565646564a576616c756583a76368616e6e656c82a26964a9433047454e4552414ca46e616d65a767656e6572616ca86d657373616765739184a27473b1313739353336313037372e313739373436a26174b9323032362d31312d32325431353a32343a33372b30303a3030a6617574686f7282a26964a55530414441a46e616d65ac416461204c6f76656c616365a474657874a7726f756e642d31a97472756e6361746564c2a56c6f6f6b3282a57374617465a9737563636565646564a576616c756583a76368616e6e656c82a26964a9433047454e4552414ca46e616d65a767656e6572616ca86d657373616765739184a27473b1313739353336313037372e313837383936a26174b9323032362d31312d32325431353a32343a33372b30303a3030a6617574686f7282a26964a55530414441a46e616d65ac416461204c6f76656c616365a474657874a7726f756e642d32a97472756e6361746564c2a56c6f6f6b3382a57374617465a9737563636565646564a576616c756583a76368616e6e656c82a26964a9433047454e4552414ca46e616d65a767656e6572616ca86d657373616765739184a27473b1313739353336313037372e313939343135a26174b9323032362d31312d32325431353a32343a33372b30303a3030a6617574686f7282a26964a55530414441a46e616d65ac416461204c6f76656c616365a474657874a7726f756e642d33a97472756e6361746564c2
T0LOCAL:C0OPS:1795361115.280261		__start__	00000000000000000000000000000001.0.043515708931446184	msgpack	\\x82a47475726e01a6726f756e647300
T0LOCAL:C0OPS:1795361115.280261		results	00000000000000000000000000000003.0.32565478189521246	msgpack	\\x81a46c6f6f6b82a57374617465a9737563636565646564a576616c756583a76368616e6e656c82a26964a9433047454e4552414ca46e616d65a767656e6572616ca86d657373616765739184a27473b1313739353336313037372e323035383139a26174b9323032362d31312d32325431353a32343a33372b30303a3030a6617574686f7282a26964a55530414441a46e616d65ac416461204c6f76656c616365a474657874a561736b6564a97472756e6361746564c2
T0LOCAL:C0OPS:1795361118.231631		__start__	00000000000000000000000000000001.0.6766952515912265	msgpack	\\x82a47475726e01a6726f756e647300
T0LOCAL:C0OPS:1795361120.975637		__start__	00000000000000000000000000000001.0.09593803716440996	msgpack	\\x82a47475726e01a6726f756e647300
T0LOCAL:C0OPS:1795361166.548515		__start__	00000000000000000000000000000001.0.74038097201913	msgpack	\\x82a47475726e01a6726f756e647300
T0LOCAL:C0OPS:1795361206.074368		__start__	00000000000000000000000000000001.0.29623165265219864	msgpack	\\x82a47475726e01a6726f756e647300
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
T0LOCAL:C0OPS:1795361077.353857		1f1e688e-5398-6cd1-bfff-aaf95d0d8c1c	92090148-b750-3149-7334-cb114c5328e4	0	turn	msgpack	\\x01	~__pregel_pull, __start__
T0LOCAL:C0OPS:1795361077.353857		1f1e688e-5398-6cd1-bfff-aaf95d0d8c1c	92090148-b750-3149-7334-cb114c5328e4	1	rounds	msgpack	\\x00	~__pregel_pull, __start__
T0LOCAL:C0OPS:1795361077.353857		1f1e688e-5398-6cd1-bfff-aaf95d0d8c1c	92090148-b750-3149-7334-cb114c5328e4	2	branch:to:execute	null	\\x	~__pregel_pull, __start__
T0LOCAL:C0OPS:1795361077.353857		1f1e688e-539c-638a-8000-d278b9378011	216b7f2d-09d8-c1fa-ce16-1785f6ee526c	0	__return__	msgpack	\\x82a57374617465a9737563636565646564a576616c756583a76368616e6e656c82a26964a9433047454e4552414ca46e616d65a767656e6572616ca86d657373616765739184a27473b1313739353336313037372e313630383534a26174b9323032362d31312d32325431353a32343a33372b30303a3030a6617574686f7282a26964a55530414441a46e616d65ac416461204c6f76656c616365a474657874a56669727374a97472756e6361746564c2	~__pregel_push, ~__pregel_pull, execute, 0000000000, 0000000001
T0LOCAL:C0OPS:1795361077.353857		1f1e688e-539c-638a-8000-d278b9378011	40d76662-67dd-44bd-f324-c2539a75224f	0	__return__	msgpack	\\x82a57374617465a9737563636565646564a576616c756583a76368616e6e656c82a26964a9433047454e4552414ca46e616d65a767656e6572616ca86d657373616765739184a27473b1313739353336313037372e313633323535a26174b9323032362d31312d32325431353a32343a33372b30303a3030a6617574686f7282a26964a55530414441a46e616d65ac416461204c6f76656c616365a474657874a57468697264a97472756e6361746564c2	~__pregel_push, ~__pregel_pull, execute, 0000000001, 0000000001
T0LOCAL:C0OPS:1795361077.353857		1f1e688e-539c-638a-8000-d278b9378011	f006af32-7379-1dd9-a828-5052820d8305	-3	__interrupt__	msgpack	\\x91c7af0293af6c616e6767726170682e7479706573a9496e7465727275707483a576616c756584a87175657374696f6ed9206435383561616536653065613830306134303134383361306266613735306333a46e6f6465a474656c6ca46b696e64a7617070726f7665a57469746c65ad5469746c65206f662074656c6ca26964d9206435383561616536653065613830306134303134383361306266613735306333af726573706f6e73655f736368656d61c0	~__pregel_push, ~__pregel_pull, execute, 0000000002, 0000000001
T0LOCAL:C0OPS:1795361077.353857		1f1e688e-539c-638a-8000-d278b9378011	2506c9bc-7050-1db9-a345-841d272997d9	-3	__interrupt__	msgpack	\\x91c7af0293af6c616e6767726170682e7479706573a9496e7465727275707483a576616c756584a87175657374696f6ed9206435383561616536653065613830306134303134383361306266613735306333a46e6f6465a474656c6ca46b696e64a7617070726f7665a57469746c65ad5469746c65206f662074656c6ca26964d9206435383561616536653065613830306134303134383361306266613735306333af726573706f6e73655f736368656d61c0	~__pregel_pull, execute
T0LOCAL:C0OPS:1795361111.230644		1f1e688e-85e9-6fc0-bfff-f8d4220b1c6d	aaa9a280-9211-7539-bee9-ab9d3bfcf25c	0	turn	msgpack	\\x01	~__pregel_pull, __start__
T0LOCAL:C0OPS:1795361111.230644		1f1e688e-85e9-6fc0-bfff-f8d4220b1c6d	aaa9a280-9211-7539-bee9-ab9d3bfcf25c	1	rounds	msgpack	\\x00	~__pregel_pull, __start__
T0LOCAL:C0OPS:1795361111.230644		1f1e688e-85e9-6fc0-bfff-f8d4220b1c6d	aaa9a280-9211-7539-bee9-ab9d3bfcf25c	2	branch:to:execute	null	\\x	~__pregel_pull, __start__
T0LOCAL:C0OPS:1795361111.230644		1f1e688e-85eb-6bd0-8000-444803490482	09ec5490-1144-9768-7d1d-935681c5ca5d	0	__return__	msgpack	\\x82a57374617465a9737563636565646564a576616c756583a76368616e6e656c82a26964a9433047454e4552414ca46e616d65a767656e6572616ca86d657373616765739184a27473b1313739353336313037372e313739313138a26174b9323032362d31312d32325431353a32343a33372b30303a3030a6617574686f7282a26964a55530414441a46e616d65ac416461204c6f76656c616365a474657874a7726f756e642d30a97472756e6361746564c2	~__pregel_push, ~__pregel_pull, execute, 0000000000, 0000000001
T0LOCAL:C0OPS:1795361111.230644		1f1e688e-85eb-6bd0-8000-444803490482	765e4a4d-8e6e-f8b0-7baf-d2f826be6dcc	0	results	msgpack	\\x81a56c6f6f6b3082a57374617465a9737563636565646564a576616c756583a76368616e6e656c82a26964a9433047454e4552414ca46e616d65a767656e6572616ca86d657373616765739184a27473b1313739353336313037372e313739313138a26174b9323032362d31312d32325431353a32343a33372b30303a3030a6617574686f7282a26964a55530414441a46e616d65ac416461204c6f76656c616365a474657874a7726f756e642d30a97472756e6361746564c2	~__pregel_pull, execute
T0LOCAL:C0OPS:1795361111.230644		1f1e688e-85eb-6bd0-8000-444803490482	765e4a4d-8e6e-f8b0-7baf-d2f826be6dcc	1	seq	msgpack	\\x01	~__pregel_pull, execute
T0LOCAL:C0OPS:1795361111.230644		1f1e688e-85eb-6bd0-8000-444803490482	765e4a4d-8e6e-f8b0-7baf-d2f826be6dcc	2	branch:to:reflect	null	\\x	~__pregel_pull, execute
T0LOCAL:C0OPS:1795361111.230644		1f1e688e-8c3d-6852-8001-6a82f46e5830	19363ebe-74b2-d42e-e050-e3c74346735b	0	rounds	msgpack	\\x01	~__pregel_pull, reflect
T0LOCAL:C0OPS:1795361111.230644		1f1e688e-8c3d-6852-8001-6a82f46e5830	19363ebe-74b2-d42e-e050-e3c74346735b	1	branch:to:execute	null	\\x	~__pregel_pull, reflect
T0LOCAL:C0OPS:1795361111.230644		1f1e688e-8f4c-6ac7-8002-a8b5e173d6e2	943fa131-e908-d085-fc2a-d7efe0fb36ef	0	__return__	msgpack	\\x82a57374617465a9737563636565646564a576616c756583a76368616e6e656c82a26964a9433047454e4552414ca46e616d65a767656e6572616ca86d657373616765739184a27473b1313739353336313037372e313739373436a26174b9323032362d31312d32325431353a32343a33372b30303a3030a6617574686f7282a26964a55530414441a46e616d65ac416461204c6f76656c616365a474657874a7726f756e642d31a97472756e6361746564c2	~__pregel_push, ~__pregel_pull, execute, 0000000000, 0000000001
T0LOCAL:C0OPS:1795361111.230644		1f1e688e-8f4c-6ac7-8002-a8b5e173d6e2	23e6b1f2-5231-7ad7-a856-9961a55a4d87	0	results	msgpack	\\x81a56c6f6f6b3182a57374617465a9737563636565646564a576616c756583a76368616e6e656c82a26964a9433047454e4552414ca46e616d65a767656e6572616ca86d657373616765739184a27473b1313739353336313037372e313739373436a26174b9323032362d31312d32325431353a32343a33372b30303a3030a6617574686f7282a26964a55530414441a46e616d65ac416461204c6f76656c616365a474657874a7726f756e642d31a97472756e6361746564c2	~__pregel_pull, execute
T0LOCAL:C0OPS:1795361111.230644		1f1e688e-8f4c-6ac7-8002-a8b5e173d6e2	23e6b1f2-5231-7ad7-a856-9961a55a4d87	1	seq	msgpack	\\x02	~__pregel_pull, execute
T0LOCAL:C0OPS:1795361111.230644		1f1e688e-8f4c-6ac7-8002-a8b5e173d6e2	23e6b1f2-5231-7ad7-a856-9961a55a4d87	2	branch:to:reflect	null	\\x	~__pregel_pull, execute
T0LOCAL:C0OPS:1795361111.230644		1f1e688e-926c-6aa9-8003-cbf373d1d51e	9f6daafa-c4b5-52b2-6b5e-122ec2e9f8d5	0	rounds	msgpack	\\x02	~__pregel_pull, reflect
T0LOCAL:C0OPS:1795361111.230644		1f1e688e-926c-6aa9-8003-cbf373d1d51e	9f6daafa-c4b5-52b2-6b5e-122ec2e9f8d5	1	branch:to:execute	null	\\x	~__pregel_pull, reflect
T0LOCAL:C0OPS:1795361111.230644		1f1e688e-985b-6eef-8004-51d834ac1a7a	aecf34cd-83bc-5312-e28d-8a1690d8efdb	0	__return__	msgpack	\\x82a57374617465a9737563636565646564a576616c756583a76368616e6e656c82a26964a9433047454e4552414ca46e616d65a767656e6572616ca86d657373616765739184a27473b1313739353336313037372e313837383936a26174b9323032362d31312d32325431353a32343a33372b30303a3030a6617574686f7282a26964a55530414441a46e616d65ac416461204c6f76656c616365a474657874a7726f756e642d32a97472756e6361746564c2	~__pregel_push, ~__pregel_pull, execute, 0000000000, 0000000001
T0LOCAL:C0OPS:1795361111.230644		1f1e688e-985b-6eef-8004-51d834ac1a7a	44d91ea9-5dbe-5c04-c8aa-e04f84d3988d	0	results	msgpack	\\x81a56c6f6f6b3282a57374617465a9737563636565646564a576616c756583a76368616e6e656c82a26964a9433047454e4552414ca46e616d65a767656e6572616ca86d657373616765739184a27473b1313739353336313037372e313837383936a26174b9323032362d31312d32325431353a32343a33372b30303a3030a6617574686f7282a26964a55530414441a46e616d65ac416461204c6f76656c616365a474657874a7726f756e642d32a97472756e6361746564c2	~__pregel_pull, execute
T0LOCAL:C0OPS:1795361111.230644		1f1e688e-985b-6eef-8004-51d834ac1a7a	44d91ea9-5dbe-5c04-c8aa-e04f84d3988d	1	seq	msgpack	\\x03	~__pregel_pull, execute
T0LOCAL:C0OPS:1795361111.230644		1f1e688e-985b-6eef-8004-51d834ac1a7a	44d91ea9-5dbe-5c04-c8aa-e04f84d3988d	2	branch:to:reflect	null	\\x	~__pregel_pull, execute
T0LOCAL:C0OPS:1795361111.230644		1f1e688e-9acf-62b8-8005-b4020fc17435	79f5e3b4-5d8d-ef37-ae12-c004d628eab3	0	rounds	msgpack	\\x03	~__pregel_pull, reflect
T0LOCAL:C0OPS:1795361111.230644		1f1e688e-9acf-62b8-8005-b4020fc17435	79f5e3b4-5d8d-ef37-ae12-c004d628eab3	1	branch:to:execute	null	\\x	~__pregel_pull, reflect
T0LOCAL:C0OPS:1795361111.230644		1f1e688e-9f82-6483-8006-20998cb59807	781b16b5-651f-78ae-f74d-1a67fb760d1a	0	__return__	msgpack	\\x82a57374617465a9737563636565646564a576616c756583a76368616e6e656c82a26964a9433047454e4552414ca46e616d65a767656e6572616ca86d657373616765739184a27473b1313739353336313037372e313939343135a26174b9323032362d31312d32325431353a32343a33372b30303a3030a6617574686f7282a26964a55530414441a46e616d65ac416461204c6f76656c616365a474657874a7726f756e642d33a97472756e6361746564c2	~__pregel_push, ~__pregel_pull, execute, 0000000000, 0000000001
T0LOCAL:C0OPS:1795361111.230644		1f1e688e-9f82-6483-8006-20998cb59807	bacd7ae3-94e7-457f-9169-6c41108a6577	0	results	msgpack	\\x81a56c6f6f6b3382a57374617465a9737563636565646564a576616c756583a76368616e6e656c82a26964a9433047454e4552414ca46e616d65a767656e6572616ca86d657373616765739184a27473b1313739353336313037372e313939343135a26174b9323032362d31312d32325431353a32343a33372b30303a3030a6617574686f7282a26964a55530414441a46e616d65ac416461204c6f76656c616365a474657874a7726f756e642d33a97472756e6361746564c2	~__pregel_pull, execute
T0LOCAL:C0OPS:1795361111.230644		1f1e688e-9f82-6483-8006-20998cb59807	bacd7ae3-94e7-457f-9169-6c41108a6577	1	seq	msgpack	\\x04	~__pregel_pull, execute
T0LOCAL:C0OPS:1795361111.230644		1f1e688e-9f82-6483-8006-20998cb59807	bacd7ae3-94e7-457f-9169-6c41108a6577	2	branch:to:reflect	null	\\x	~__pregel_pull, execute
T0LOCAL:C0OPS:1795361111.230644		1f1e688e-a1d6-60c1-8007-a5e5cabe7353	62ecf952-0675-2e49-3f3a-2d660733897f	-3	__interrupt__	msgpack	\\x91c78a0293af6c616e6767726170682e7479706573a9496e7465727275707483a576616c756582a87175657374696f6ed9203132623863333639303966666366616131336137636461313764343738613862a46e6f6465a0a26964d9203132623863333639303966666366616131336137636461313764343738613862af726573706f6e73655f736368656d61c0	~__pregel_pull, reflect
T0LOCAL:C0OPS:1795361115.280261		1f1e688e-aed8-615d-bfff-f666929272f3	8bce4d10-d748-c5de-7146-27dbaa2b04f7	0	turn	msgpack	\\x01	~__pregel_pull, __start__
T0LOCAL:C0OPS:1795361115.280261		1f1e688e-aed8-615d-bfff-f666929272f3	8bce4d10-d748-c5de-7146-27dbaa2b04f7	1	rounds	msgpack	\\x00	~__pregel_pull, __start__
T0LOCAL:C0OPS:1795361115.280261		1f1e688e-aed8-615d-bfff-f666929272f3	8bce4d10-d748-c5de-7146-27dbaa2b04f7	2	branch:to:execute	null	\\x	~__pregel_pull, __start__
T0LOCAL:C0OPS:1795361115.280261		1f1e688e-aed9-69ac-8000-a553496990f9	721d9b63-e859-29ed-1f02-e5302c7378b7	0	__return__	msgpack	\\x82a57374617465a9737563636565646564a576616c756583a76368616e6e656c82a26964a9433047454e4552414ca46e616d65a767656e6572616ca86d657373616765739184a27473b1313739353336313037372e323035383139a26174b9323032362d31312d32325431353a32343a33372b30303a3030a6617574686f7282a26964a55530414441a46e616d65ac416461204c6f76656c616365a474657874a561736b6564a97472756e6361746564c2	~__pregel_push, ~__pregel_pull, execute, 0000000000, 0000000001
T0LOCAL:C0OPS:1795361115.280261		1f1e688e-aed9-69ac-8000-a553496990f9	fc1d3bdd-fada-e485-0208-bbba536da3a3	0	results	msgpack	\\x81a46c6f6f6b82a57374617465a9737563636565646564a576616c756583a76368616e6e656c82a26964a9433047454e4552414ca46e616d65a767656e6572616ca86d657373616765739184a27473b1313739353336313037372e323035383139a26174b9323032362d31312d32325431353a32343a33372b30303a3030a6617574686f7282a26964a55530414441a46e616d65ac416461204c6f76656c616365a474657874a561736b6564a97472756e6361746564c2	~__pregel_pull, execute
T0LOCAL:C0OPS:1795361115.280261		1f1e688e-aed9-69ac-8000-a553496990f9	fc1d3bdd-fada-e485-0208-bbba536da3a3	1	seq	msgpack	\\x01	~__pregel_pull, execute
T0LOCAL:C0OPS:1795361115.280261		1f1e688e-aed9-69ac-8000-a553496990f9	fc1d3bdd-fada-e485-0208-bbba536da3a3	2	branch:to:reflect	null	\\x	~__pregel_pull, execute
T0LOCAL:C0OPS:1795361115.280261		1f1e688e-bc81-67ca-8001-a46d8b2db187	1bf9626d-1293-8bc8-6e52-c1c8dcd29986	-3	__interrupt__	msgpack	\\x91c78a0293af6c616e6767726170682e7479706573a9496e7465727275707483a576616c756582a87175657374696f6ed9203662363063346637386230353736393237386261306566646437376139336338a46e6f6465a0a26964d9203662363063346637386230353736393237386261306566646437376139336338af726573706f6e73655f736368656d61c0	~__pregel_pull, reflect
T0LOCAL:C0OPS:1795361118.231631		1f1e688e-c8fe-61d8-bfff-618433f80c96	1d431d78-9da6-9044-8b5a-b85869af9003	0	turn	msgpack	\\x01	~__pregel_pull, __start__
T0LOCAL:C0OPS:1795361118.231631		1f1e688e-c8fe-61d8-bfff-618433f80c96	1d431d78-9da6-9044-8b5a-b85869af9003	1	rounds	msgpack	\\x00	~__pregel_pull, __start__
T0LOCAL:C0OPS:1795361118.231631		1f1e688e-c8fe-61d8-bfff-618433f80c96	1d431d78-9da6-9044-8b5a-b85869af9003	2	branch:to:execute	null	\\x	~__pregel_pull, __start__
T0LOCAL:C0OPS:1795361118.231631		1f1e688e-c8ff-68d3-8000-a6a091dd2631	5633f582-0292-0e66-817e-322fb625e0b9	0	__return__	msgpack	\\x82a57374617465a9737563636565646564a576616c756581a5686f7374739382a46e616d65a161a4646f776ec382a46e616d65a162a4646f776ec282a46e616d65a163a4646f776ec3	~__pregel_push, ~__pregel_pull, execute, 0000000000, 0000000001
T0LOCAL:C0OPS:1795361118.231631		1f1e688e-c8ff-68d3-8000-a6a091dd2631	61f108ad-b2d1-a7b3-1b09-cb3071e6a34c	0	__return__	msgpack	\\x83a57374617465a7736b6970706564a762656361757365a466696e64a3776879b969747320636f6e646974696f6e20776173206e6f74206d6574	~__pregel_push, ~__pregel_pull, execute, 0000000004, 0000000001
T0LOCAL:C0OPS:1795361118.231631		1f1e688e-c8ff-68d3-8000-a6a091dd2631	385c520f-0ad7-ba86-8eda-be1ff5e48d8f	-3	__interrupt__	msgpack	\\x91c7ba0293af6c616e6767726170682e7479706573a9496e7465727275707483a576616c756584a87175657374696f6ed9206563323365363036313131333533303363333439333166643063326163323062a46e6f6465a674656c6c2d30a46b696e64a7617070726f7665a57469746c65b65469746c65206f662074656c6c202831206f66203329a26964d9206563323365363036313131333533303363333439333166643063326163323062af726573706f6e73655f736368656d61c0	~__pregel_push, ~__pregel_pull, execute, 0000000003, 0000000001
T0LOCAL:C0OPS:1795361118.231631		1f1e688e-c8ff-68d3-8000-a6a091dd2631	385c520f-0ad7-ba86-8eda-be1ff5e48d8f	0	__return__	msgpack	\\x82a57374617465a9737563636565646564a576616c756582a76368616e6e656cab4330494e434944454e5453a27473b1313739353336313132302e353736393634	~__pregel_push, ~__pregel_pull, execute, 0000000003, 0000000001
T0LOCAL:C0OPS:1795361118.231631		1f1e688e-c8ff-68d3-8000-a6a091dd2631	956e69b6-d3f4-0dd6-473f-d9f53dddcb5d	-3	__interrupt__	msgpack	\\x91c7ba0293af6c616e6767726170682e7479706573a9496e7465727275707483a576616c756584a87175657374696f6ed9203962353734663466343735616339663866373861626138656365313762316634a46e6f6465a674656c6c2d32a46b696e64a7617070726f7665a57469746c65b65469746c65206f662074656c6c202833206f66203329a26964d9203962353734663466343735616339663866373861626138656365313762316634af726573706f6e73655f736368656d61c0	~__pregel_push, ~__pregel_pull, execute, 0000000005, 0000000001
T0LOCAL:C0OPS:1795361118.231631		1f1e688e-c8ff-68d3-8000-a6a091dd2631	373071df-76d3-7bb4-005a-1c5444ecc33d	-3	__interrupt__	msgpack	\\x91c7ba0293af6c616e6767726170682e7479706573a9496e7465727275707483a576616c756584a87175657374696f6ed9203962353734663466343735616339663866373861626138656365313762316634a46e6f6465a674656c6c2d32a46b696e64a7617070726f7665a57469746c65b65469746c65206f662074656c6c202833206f66203329a26964d9203962353734663466343735616339663866373861626138656365313762316634af726573706f6e73655f736368656d61c0	~__pregel_pull, execute
T0LOCAL:C0OPS:1795361120.975637		1f1e688e-e262-63c5-bfff-8bee669561b8	774e172d-d7bd-dcff-b6c2-fad057cb8392	0	turn	msgpack	\\x01	~__pregel_pull, __start__
T0LOCAL:C0OPS:1795361120.975637		1f1e688e-e262-63c5-bfff-8bee669561b8	774e172d-d7bd-dcff-b6c2-fad057cb8392	1	rounds	msgpack	\\x00	~__pregel_pull, __start__
T0LOCAL:C0OPS:1795361120.975637		1f1e688e-e262-63c5-bfff-8bee669561b8	774e172d-d7bd-dcff-b6c2-fad057cb8392	2	branch:to:execute	null	\\x	~__pregel_pull, __start__
T0LOCAL:C0OPS:1795361120.975637		1f1e688e-e263-6661-8000-dd810166ddae	257fcd8c-2f9d-079e-8ab9-34086637a6a3	0	__return__	msgpack	\\x82a57374617465a9737563636565646564a576616c756583a76368616e6e656c82a26964a9433047454e4552414ca46e616d65a767656e6572616ca86d657373616765739184a27473b1313739353336313037372e313737353930a26174b9323032362d31312d32325431353a32343a33372b30303a3030a6617574686f7282a26964a55530414441a46e616d65ac416461204c6f76656c616365a474657874ae6265666f72652d756e6b6e6f776ea97472756e6361746564c2	~__pregel_push, ~__pregel_pull, execute, 0000000000, 0000000001
T0LOCAL:C0OPS:1795361120.975637		1f1e688e-e263-6661-8000-dd810166ddae	204fec49-80d9-6bb1-a3cb-c2dfceb3f106	-3	__interrupt__	msgpack	\\x91c7af0293af6c616e6767726170682e7479706573a9496e7465727275707483a576616c756584a87175657374696f6ed9203464666437323237646639626566366330353266346565306164633161356431a46e6f6465a474656c6ca46b696e64a7756e6b6e6f776ea57469746c65ad5469746c65206f662074656c6ca26964d9203464666437323237646639626566366330353266346565306164633161356431af726573706f6e73655f736368656d61c0	~__pregel_push, ~__pregel_pull, execute, 0000000001, 0000000001
T0LOCAL:C0OPS:1795361120.975637		1f1e688e-e263-6661-8000-dd810166ddae	350ba875-e96f-d973-b70c-9a0948163579	-3	__interrupt__	msgpack	\\x91c7af0293af6c616e6767726170682e7479706573a9496e7465727275707483a576616c756584a87175657374696f6ed9203464666437323237646639626566366330353266346565306164633161356431a46e6f6465a474656c6ca46b696e64a7756e6b6e6f776ea57469746c65ad5469746c65206f662074656c6ca26964d9203464666437323237646639626566366330353266346565306164633161356431af726573706f6e73655f736368656d61c0	~__pregel_pull, execute
T0LOCAL:C0OPS:1795361166.548515		1f1e6891-dcff-64fb-bfff-70f72bf348b7	fdba53f6-4b9c-3165-132a-388bfd7e24a7	0	turn	msgpack	\\x01	~__pregel_pull, __start__
T0LOCAL:C0OPS:1795361166.548515		1f1e6891-dcff-64fb-bfff-70f72bf348b7	fdba53f6-4b9c-3165-132a-388bfd7e24a7	1	rounds	msgpack	\\x00	~__pregel_pull, __start__
T0LOCAL:C0OPS:1795361166.548515		1f1e6891-dcff-64fb-bfff-70f72bf348b7	fdba53f6-4b9c-3165-132a-388bfd7e24a7	2	branch:to:execute	null	\\x	~__pregel_pull, __start__
T0LOCAL:C0OPS:1795361166.548515		1f1e6891-dd70-6477-8000-f7233323d6c8	b0d77c02-ae1c-a6b6-c121-add83ebf5305	0	__return__	msgpack	\\x82a57374617465a9737563636565646564a576616c756583a76368616e6e656c82a26964a9433047454e4552414ca46e616d65a767656e6572616ca86d657373616765739184a27473b1313739353336313037372e323037303839a26174b9323032362d31312d32325431353a32343a33372b30303a3030a6617574686f7282a26964a55530414441a46e616d65ac416461204c6f76656c616365a474657874a86275646765742d31a97472756e6361746564c2	~__pregel_push, ~__pregel_pull, execute, 0000000000, 0000000001
T0LOCAL:C0OPS:1795361166.548515		1f1e6891-dd70-6477-8000-f7233323d6c8	db84052e-17a1-7641-ada0-54fec188c0eb	-3	__interrupt__	msgpack	\\x91c79d0293af6c616e6767726170682e7479706573a9496e7465727275707483a576616c756584a87175657374696f6ed9206661303332653961383463616538393764643835633330336236393134386337a46e6f6465a0a46b696e64a6627564676574a57469746c65a0a26964d9206661303332653961383463616538393764643835633330336236393134386337af726573706f6e73655f736368656d61c0	~__pregel_pull, execute
T0LOCAL:C0OPS:1795361206.074368		1f1e6893-403e-6286-bfff-a53266a97b3a	4a05e261-8d1d-6d12-c7e8-59cbd3f2de53	0	turn	msgpack	\\x01	~__pregel_pull, __start__
T0LOCAL:C0OPS:1795361206.074368		1f1e6893-403e-6286-bfff-a53266a97b3a	4a05e261-8d1d-6d12-c7e8-59cbd3f2de53	1	rounds	msgpack	\\x00	~__pregel_pull, __start__
T0LOCAL:C0OPS:1795361206.074368		1f1e6893-403e-6286-bfff-a53266a97b3a	4a05e261-8d1d-6d12-c7e8-59cbd3f2de53	2	branch:to:execute	null	\\x	~__pregel_pull, __start__
\.


--
-- Data for Name: checkpoints; Type: TABLE DATA; Schema: public; Owner: -
--

COPY public.checkpoints (thread_id, checkpoint_ns, checkpoint_id, parent_checkpoint_id, type, checkpoint, metadata) FROM stdin;
T0LOCAL:C0OPS:1795361077.353857		1f1e688e-5398-6cd1-bfff-aaf95d0d8c1c	\N	\N	{"v": 4, "id": "1f1e688e-5398-6cd1-bfff-aaf95d0d8c1c", "ts": "2026-11-22T15:25:06.089074+00:00", "versions_seen": {"__input__": {}}, "channel_values": {}, "channel_versions": {"__start__": "00000000000000000000000000000001.0.9170840908946434"}, "updated_channels": ["__start__"]}	{"step": -1, "source": "input", "parents": {}}
T0LOCAL:C0OPS:1795361077.353857		1f1e688e-539c-638a-8000-d278b9378011	1f1e688e-5398-6cd1-bfff-aaf95d0d8c1c	\N	{"v": 4, "id": "1f1e688e-539c-638a-8000-d278b9378011", "ts": "2026-11-22T15:25:06.090473+00:00", "versions_seen": {"__input__": {}, "__start__": {"__start__": "00000000000000000000000000000001.0.9170840908946434"}}, "channel_values": {"turn": 1, "rounds": 0, "branch:to:execute": null}, "channel_versions": {"turn": "00000000000000000000000000000002.0.5906786389131308", "rounds": "00000000000000000000000000000002.0.5906786389131308", "__start__": "00000000000000000000000000000002.0.5906786389131308", "branch:to:execute": "00000000000000000000000000000002.0.5906786389131308"}, "updated_channels": ["branch:to:execute", "rounds", "turn"]}	{"step": 0, "source": "loop", "parents": {}}
T0LOCAL:C0OPS:1795361111.230644		1f1e688e-85e9-6fc0-bfff-f8d4220b1c6d	\N	\N	{"v": 4, "id": "1f1e688e-85e9-6fc0-bfff-f8d4220b1c6d", "ts": "2026-11-22T15:25:11.365207+00:00", "versions_seen": {"__input__": {}}, "channel_values": {}, "channel_versions": {"__start__": "00000000000000000000000000000001.0.45963282762843416"}, "updated_channels": ["__start__"]}	{"step": -1, "source": "input", "parents": {}}
T0LOCAL:C0OPS:1795361111.230644		1f1e688e-85eb-6bd0-8000-444803490482	1f1e688e-85e9-6fc0-bfff-f8d4220b1c6d	\N	{"v": 4, "id": "1f1e688e-85eb-6bd0-8000-444803490482", "ts": "2026-11-22T15:25:11.365921+00:00", "versions_seen": {"__input__": {}, "__start__": {"__start__": "00000000000000000000000000000001.0.45963282762843416"}}, "channel_values": {"turn": 1, "rounds": 0, "branch:to:execute": null}, "channel_versions": {"turn": "00000000000000000000000000000002.0.8752365879358311", "rounds": "00000000000000000000000000000002.0.8752365879358311", "__start__": "00000000000000000000000000000002.0.8752365879358311", "branch:to:execute": "00000000000000000000000000000002.0.8752365879358311"}, "updated_channels": ["branch:to:execute", "rounds", "turn"]}	{"step": 0, "source": "loop", "parents": {}}
T0LOCAL:C0OPS:1795361111.230644		1f1e688e-8c3d-6852-8001-6a82f46e5830	1f1e688e-85eb-6bd0-8000-444803490482	\N	{"v": 4, "id": "1f1e688e-8c3d-6852-8001-6a82f46e5830", "ts": "2026-11-22T15:25:12.028552+00:00", "versions_seen": {"execute": {"branch:to:execute": "00000000000000000000000000000002.0.8752365879358311"}, "__input__": {}, "__start__": {"__start__": "00000000000000000000000000000001.0.45963282762843416"}, "look0@48dd0b08b11b91dd": {}}, "channel_values": {"seq": 1, "turn": 1, "rounds": 0, "branch:to:reflect": null}, "channel_versions": {"seq": "00000000000000000000000000000003.0.3841410381918505", "turn": "00000000000000000000000000000002.0.8752365879358311", "rounds": "00000000000000000000000000000002.0.8752365879358311", "results": "00000000000000000000000000000003.0.3841410381918505", "__start__": "00000000000000000000000000000002.0.8752365879358311", "branch:to:execute": "00000000000000000000000000000003.0.3841410381918505", "branch:to:reflect": "00000000000000000000000000000003.0.3841410381918505"}, "updated_channels": ["branch:to:reflect", "results", "seq"]}	{"step": 1, "source": "loop", "parents": {}}
T0LOCAL:C0OPS:1795361111.230644		1f1e688e-8f4c-6ac7-8002-a8b5e173d6e2	1f1e688e-8c3d-6852-8001-6a82f46e5830	\N	{"v": 4, "id": "1f1e688e-8f4c-6ac7-8002-a8b5e173d6e2", "ts": "2026-11-22T15:25:12.349328+00:00", "versions_seen": {"execute": {"branch:to:execute": "00000000000000000000000000000002.0.8752365879358311"}, "reflect": {"branch:to:reflect": "00000000000000000000000000000003.0.3841410381918505"}, "__input__": {}, "__start__": {"__start__": "00000000000000000000000000000001.0.45963282762843416"}, "look0@48dd0b08b11b91dd": {}}, "channel_values": {"seq": 1, "turn": 1, "rounds": 1, "branch:to:execute": null}, "channel_versions": {"seq": "00000000000000000000000000000003.0.3841410381918505", "turn": "00000000000000000000000000000002.0.8752365879358311", "rounds": "00000000000000000000000000000004.0.21999727758723586", "results": "00000000000000000000000000000003.0.3841410381918505", "__start__": "00000000000000000000000000000002.0.8752365879358311", "branch:to:execute": "00000000000000000000000000000004.0.21999727758723586", "branch:to:reflect": "00000000000000000000000000000004.0.21999727758723586"}, "updated_channels": ["branch:to:execute", "rounds"]}	{"step": 2, "source": "loop", "parents": {}}
T0LOCAL:C0OPS:1795361111.230644		1f1e688e-926c-6aa9-8003-cbf373d1d51e	1f1e688e-8f4c-6ac7-8002-a8b5e173d6e2	\N	{"v": 4, "id": "1f1e688e-926c-6aa9-8003-cbf373d1d51e", "ts": "2026-11-22T15:25:12.677011+00:00", "versions_seen": {"execute": {"branch:to:execute": "00000000000000000000000000000004.0.21999727758723586"}, "reflect": {"branch:to:reflect": "00000000000000000000000000000003.0.3841410381918505"}, "__input__": {}, "__start__": {"__start__": "00000000000000000000000000000001.0.45963282762843416"}, "look0@48dd0b08b11b91dd": {}, "look1@23b97edc18fd0551": {}}, "channel_values": {"seq": 2, "turn": 1, "rounds": 1, "branch:to:reflect": null}, "channel_versions": {"seq": "00000000000000000000000000000005.0.25616263069154677", "turn": "00000000000000000000000000000002.0.8752365879358311", "rounds": "00000000000000000000000000000004.0.21999727758723586", "results": "00000000000000000000000000000005.0.25616263069154677", "__start__": "00000000000000000000000000000002.0.8752365879358311", "branch:to:execute": "00000000000000000000000000000005.0.25616263069154677", "branch:to:reflect": "00000000000000000000000000000005.0.25616263069154677"}, "updated_channels": ["branch:to:reflect", "results", "seq"]}	{"step": 3, "source": "loop", "parents": {}}
T0LOCAL:C0OPS:1795361115.280261		1f1e688e-bc81-67ca-8001-a46d8b2db187	1f1e688e-aed9-69ac-8000-a553496990f9	\N	{"v": 4, "id": "1f1e688e-bc81-67ca-8001-a46d8b2db187", "ts": "2026-11-22T15:25:17.089555+00:00", "versions_seen": {"execute": {"branch:to:execute": "00000000000000000000000000000002.0.9173217054598894"}, "__input__": {}, "__start__": {"__start__": "00000000000000000000000000000001.0.043515708931446184"}, "look@44f401328112a754": {}}, "channel_values": {"seq": 1, "turn": 1, "rounds": 0, "branch:to:reflect": null}, "channel_versions": {"seq": "00000000000000000000000000000003.0.32565478189521246", "turn": "00000000000000000000000000000002.0.9173217054598894", "rounds": "00000000000000000000000000000002.0.9173217054598894", "results": "00000000000000000000000000000003.0.32565478189521246", "__start__": "00000000000000000000000000000002.0.9173217054598894", "branch:to:execute": "00000000000000000000000000000003.0.32565478189521246", "branch:to:reflect": "00000000000000000000000000000003.0.32565478189521246"}, "updated_channels": ["branch:to:reflect", "results", "seq"]}	{"step": 1, "source": "loop", "parents": {}}
T0LOCAL:C0OPS:1795361111.230644		1f1e688e-985b-6eef-8004-51d834ac1a7a	1f1e688e-926c-6aa9-8003-cbf373d1d51e	\N	{"v": 4, "id": "1f1e688e-985b-6eef-8004-51d834ac1a7a", "ts": "2026-11-22T15:25:13.299305+00:00", "versions_seen": {"execute": {"branch:to:execute": "00000000000000000000000000000004.0.21999727758723586"}, "reflect": {"branch:to:reflect": "00000000000000000000000000000005.0.25616263069154677"}, "__input__": {}, "__start__": {"__start__": "00000000000000000000000000000001.0.45963282762843416"}, "look0@48dd0b08b11b91dd": {}, "look1@23b97edc18fd0551": {}}, "channel_values": {"seq": 2, "turn": 1, "rounds": 2, "branch:to:execute": null}, "channel_versions": {"seq": "00000000000000000000000000000005.0.25616263069154677", "turn": "00000000000000000000000000000002.0.8752365879358311", "rounds": "00000000000000000000000000000006.0.6049884967087209", "results": "00000000000000000000000000000005.0.25616263069154677", "__start__": "00000000000000000000000000000002.0.8752365879358311", "branch:to:execute": "00000000000000000000000000000006.0.6049884967087209", "branch:to:reflect": "00000000000000000000000000000006.0.6049884967087209"}, "updated_channels": ["branch:to:execute", "rounds"]}	{"step": 4, "source": "loop", "parents": {}}
T0LOCAL:C0OPS:1795361111.230644		1f1e688e-9acf-62b8-8005-b4020fc17435	1f1e688e-985b-6eef-8004-51d834ac1a7a	\N	{"v": 4, "id": "1f1e688e-9acf-62b8-8005-b4020fc17435", "ts": "2026-11-22T15:25:13.556217+00:00", "versions_seen": {"execute": {"branch:to:execute": "00000000000000000000000000000006.0.6049884967087209"}, "reflect": {"branch:to:reflect": "00000000000000000000000000000005.0.25616263069154677"}, "__input__": {}, "__start__": {"__start__": "00000000000000000000000000000001.0.45963282762843416"}, "look0@48dd0b08b11b91dd": {}, "look1@23b97edc18fd0551": {}, "look2@7447c1e4f6b0dd6c": {}}, "channel_values": {"seq": 3, "turn": 1, "rounds": 2, "branch:to:reflect": null}, "channel_versions": {"seq": "00000000000000000000000000000007.0.2756785438012487", "turn": "00000000000000000000000000000002.0.8752365879358311", "rounds": "00000000000000000000000000000006.0.6049884967087209", "results": "00000000000000000000000000000007.0.2756785438012487", "__start__": "00000000000000000000000000000002.0.8752365879358311", "branch:to:execute": "00000000000000000000000000000007.0.2756785438012487", "branch:to:reflect": "00000000000000000000000000000007.0.2756785438012487"}, "updated_channels": ["branch:to:reflect", "results", "seq"]}	{"step": 5, "source": "loop", "parents": {}}
T0LOCAL:C0OPS:1795361111.230644		1f1e688e-9f82-6483-8006-20998cb59807	1f1e688e-9acf-62b8-8005-b4020fc17435	\N	{"v": 4, "id": "1f1e688e-9f82-6483-8006-20998cb59807", "ts": "2026-11-22T15:25:14.049013+00:00", "versions_seen": {"execute": {"branch:to:execute": "00000000000000000000000000000006.0.6049884967087209"}, "reflect": {"branch:to:reflect": "00000000000000000000000000000007.0.2756785438012487"}, "__input__": {}, "__start__": {"__start__": "00000000000000000000000000000001.0.45963282762843416"}, "look0@48dd0b08b11b91dd": {}, "look1@23b97edc18fd0551": {}, "look2@7447c1e4f6b0dd6c": {}}, "channel_values": {"seq": 3, "turn": 1, "rounds": 3, "branch:to:execute": null}, "channel_versions": {"seq": "00000000000000000000000000000007.0.2756785438012487", "turn": "00000000000000000000000000000002.0.8752365879358311", "rounds": "00000000000000000000000000000008.0.21201642451159286", "results": "00000000000000000000000000000007.0.2756785438012487", "__start__": "00000000000000000000000000000002.0.8752365879358311", "branch:to:execute": "00000000000000000000000000000008.0.21201642451159286", "branch:to:reflect": "00000000000000000000000000000008.0.21201642451159286"}, "updated_channels": ["branch:to:execute", "rounds"]}	{"step": 6, "source": "loop", "parents": {}}
T0LOCAL:C0OPS:1795361111.230644		1f1e688e-a1d6-60c1-8007-a5e5cabe7353	1f1e688e-9f82-6483-8006-20998cb59807	\N	{"v": 4, "id": "1f1e688e-a1d6-60c1-8007-a5e5cabe7353", "ts": "2026-11-22T15:25:14.293025+00:00", "versions_seen": {"execute": {"branch:to:execute": "00000000000000000000000000000008.0.21201642451159286"}, "reflect": {"branch:to:reflect": "00000000000000000000000000000007.0.2756785438012487"}, "__input__": {}, "__start__": {"__start__": "00000000000000000000000000000001.0.45963282762843416"}, "look0@48dd0b08b11b91dd": {}, "look1@23b97edc18fd0551": {}, "look2@7447c1e4f6b0dd6c": {}, "look3@f7a140f349c3c2b9": {}}, "channel_values": {"seq": 4, "turn": 1, "rounds": 3, "branch:to:reflect": null}, "channel_versions": {"seq": "00000000000000000000000000000009.0.37369724390400694", "turn": "00000000000000000000000000000002.0.8752365879358311", "rounds": "00000000000000000000000000000008.0.21201642451159286", "results": "00000000000000000000000000000009.0.37369724390400694", "__start__": "00000000000000000000000000000002.0.8752365879358311", "branch:to:execute": "00000000000000000000000000000009.0.37369724390400694", "branch:to:reflect": "00000000000000000000000000000009.0.37369724390400694"}, "updated_channels": ["branch:to:reflect", "results", "seq"]}	{"step": 7, "source": "loop", "parents": {}}
T0LOCAL:C0OPS:1795361115.280261		1f1e688e-aed8-615d-bfff-f666929272f3	\N	\N	{"v": 4, "id": "1f1e688e-aed8-615d-bfff-f666929272f3", "ts": "2026-11-22T15:25:15.657037+00:00", "versions_seen": {"__input__": {}}, "channel_values": {}, "channel_versions": {"__start__": "00000000000000000000000000000001.0.043515708931446184"}, "updated_channels": ["__start__"]}	{"step": -1, "source": "input", "parents": {}}
T0LOCAL:C0OPS:1795361115.280261		1f1e688e-aed9-69ac-8000-a553496990f9	1f1e688e-aed8-615d-bfff-f666929272f3	\N	{"v": 4, "id": "1f1e688e-aed9-69ac-8000-a553496990f9", "ts": "2026-11-22T15:25:15.657656+00:00", "versions_seen": {"__input__": {}, "__start__": {"__start__": "00000000000000000000000000000001.0.043515708931446184"}}, "channel_values": {"turn": 1, "rounds": 0, "branch:to:execute": null}, "channel_versions": {"turn": "00000000000000000000000000000002.0.9173217054598894", "rounds": "00000000000000000000000000000002.0.9173217054598894", "__start__": "00000000000000000000000000000002.0.9173217054598894", "branch:to:execute": "00000000000000000000000000000002.0.9173217054598894"}, "updated_channels": ["branch:to:execute", "rounds", "turn"]}	{"step": 0, "source": "loop", "parents": {}}
T0LOCAL:C0OPS:1795361118.231631		1f1e688e-c8fe-61d8-bfff-618433f80c96	\N	\N	{"v": 4, "id": "1f1e688e-c8fe-61d8-bfff-618433f80c96", "ts": "2026-11-22T15:25:18.398913+00:00", "versions_seen": {"__input__": {}}, "channel_values": {}, "channel_versions": {"__start__": "00000000000000000000000000000001.0.6766952515912265"}, "updated_channels": ["__start__"]}	{"step": -1, "source": "input", "parents": {}}
T0LOCAL:C0OPS:1795361118.231631		1f1e688e-c8ff-68d3-8000-a6a091dd2631	1f1e688e-c8fe-61d8-bfff-618433f80c96	\N	{"v": 4, "id": "1f1e688e-c8ff-68d3-8000-a6a091dd2631", "ts": "2026-11-22T15:25:18.399502+00:00", "versions_seen": {"__input__": {}, "__start__": {"__start__": "00000000000000000000000000000001.0.6766952515912265"}}, "channel_values": {"turn": 1, "rounds": 0, "branch:to:execute": null}, "channel_versions": {"turn": "00000000000000000000000000000002.0.7706451980600173", "rounds": "00000000000000000000000000000002.0.7706451980600173", "__start__": "00000000000000000000000000000002.0.7706451980600173", "branch:to:execute": "00000000000000000000000000000002.0.7706451980600173"}, "updated_channels": ["branch:to:execute", "rounds", "turn"]}	{"step": 0, "source": "loop", "parents": {}}
T0LOCAL:C0OPS:1795361120.975637		1f1e688e-e262-63c5-bfff-8bee669561b8	\N	\N	{"v": 4, "id": "1f1e688e-e262-63c5-bfff-8bee669561b8", "ts": "2026-11-22T15:25:21.061363+00:00", "versions_seen": {"__input__": {}}, "channel_values": {}, "channel_versions": {"__start__": "00000000000000000000000000000001.0.09593803716440996"}, "updated_channels": ["__start__"]}	{"step": -1, "source": "input", "parents": {}}
T0LOCAL:C0OPS:1795361120.975637		1f1e688e-e263-6661-8000-dd810166ddae	1f1e688e-e262-63c5-bfff-8bee669561b8	\N	{"v": 4, "id": "1f1e688e-e263-6661-8000-dd810166ddae", "ts": "2026-11-22T15:25:21.061840+00:00", "versions_seen": {"__input__": {}, "__start__": {"__start__": "00000000000000000000000000000001.0.09593803716440996"}}, "channel_values": {"turn": 1, "rounds": 0, "branch:to:execute": null}, "channel_versions": {"turn": "00000000000000000000000000000002.0.362272834518206", "rounds": "00000000000000000000000000000002.0.362272834518206", "__start__": "00000000000000000000000000000002.0.362272834518206", "branch:to:execute": "00000000000000000000000000000002.0.362272834518206"}, "updated_channels": ["branch:to:execute", "rounds", "turn"]}	{"step": 0, "source": "loop", "parents": {}}
T0LOCAL:C0OPS:1795361166.548515		1f1e6891-dcff-64fb-bfff-70f72bf348b7	\N	\N	{"v": 4, "id": "1f1e6891-dcff-64fb-bfff-70f72bf348b7", "ts": "2026-11-22T15:26:41.027188+00:00", "versions_seen": {"__input__": {}}, "channel_values": {}, "channel_versions": {"__start__": "00000000000000000000000000000001.0.74038097201913"}, "updated_channels": ["__start__"]}	{"step": -1, "source": "input", "parents": {}}
T0LOCAL:C0OPS:1795361166.548515		1f1e6891-dd70-6477-8000-f7233323d6c8	1f1e6891-dcff-64fb-bfff-70f72bf348b7	\N	{"v": 4, "id": "1f1e6891-dd70-6477-8000-f7233323d6c8", "ts": "2026-11-22T15:26:41.073444+00:00", "versions_seen": {"__input__": {}, "__start__": {"__start__": "00000000000000000000000000000001.0.74038097201913"}}, "channel_values": {"turn": 1, "rounds": 0, "branch:to:execute": null}, "channel_versions": {"turn": "00000000000000000000000000000002.0.7077400253216694", "rounds": "00000000000000000000000000000002.0.7077400253216694", "__start__": "00000000000000000000000000000002.0.7077400253216694", "branch:to:execute": "00000000000000000000000000000002.0.7077400253216694"}, "updated_channels": ["branch:to:execute", "rounds", "turn"]}	{"step": 0, "source": "loop", "parents": {}}
T0LOCAL:C0OPS:1795361206.074368		1f1e6893-403e-6286-bfff-a53266a97b3a	\N	\N	{"v": 4, "id": "1f1e6893-403e-6286-bfff-a53266a97b3a", "ts": "2026-11-22T15:27:18.277379+00:00", "versions_seen": {"__input__": {}}, "channel_values": {}, "channel_versions": {"__start__": "00000000000000000000000000000001.0.29623165265219864"}, "updated_channels": ["__start__"]}	{"step": -1, "source": "input", "parents": {}}
T0LOCAL:C0OPS:1795361206.074368		1f1e6893-4053-6048-8000-3bdda3dc2a26	1f1e6893-403e-6286-bfff-a53266a97b3a	\N	{"v": 4, "id": "1f1e6893-4053-6048-8000-3bdda3dc2a26", "ts": "2026-11-22T15:27:18.285915+00:00", "versions_seen": {"__input__": {}, "__start__": {"__start__": "00000000000000000000000000000001.0.29623165265219864"}}, "channel_values": {"turn": 1, "rounds": 0, "branch:to:execute": null}, "channel_versions": {"turn": "00000000000000000000000000000002.0.6391427622307566", "rounds": "00000000000000000000000000000002.0.6391427622307566", "__start__": "00000000000000000000000000000002.0.6391427622307566", "branch:to:execute": "00000000000000000000000000000002.0.6391427622307566"}, "updated_channels": ["branch:to:execute", "rounds", "turn"]}	{"step": 0, "source": "loop", "parents": {}}
\.


--
-- Data for Name: inbox; Type: TABLE DATA; Schema: public; Owner: -
--

COPY public.inbox (tenant, id, thread, app, event_id, channel, ts, author, text, kind, at, turn) FROM stdin;
T0LOCAL	1	T0LOCAL:C0OPS:1795361077.353857	A0GREENLIGHT	EvE2YW1YXXJP	C0OPS	1795361077.353857	U0ADA	tell them that all is well	mention	2026-11-22 15:24:37.570851+00	1
T0LOCAL	3	T0LOCAL:C0OPS:1795361111.230644	A0GREENLIGHT	EvL27PBGODPV	C0OPS	1795361111.230644	U0ADA	keep looking around	mention	2026-11-22 15:25:11.276873+00	1
T0LOCAL	5	T0LOCAL:C0OPS:1795361115.280261	A0GREENLIGHT	Ev28UDH8LEE4	C0OPS	1795361115.280261	U0ADA	look at my region	mention	2026-11-22 15:25:15.347773+00	1
T0LOCAL	7	T0LOCAL:C0OPS:1795361118.231631	A0GREENLIGHT	EvKAEPD9UT9T	C0OPS	1795361118.231631	U0ADA	tell about every host that is down	mention	2026-11-22 15:25:18.247029+00	1
T0LOCAL	9	T0LOCAL:C0OPS:1795361120.975637	A0GREENLIGHT	EvBFB5OG1AEU	C0OPS	1795361120.975637	U0ADA	tell them what is unknown	mention	2026-11-22 15:25:20.990836+00	1
T0LOCAL	11	T0LOCAL:C0OPS:1795361166.548515	A0GREENLIGHT	Ev7RWF6VJWGA	C0OPS	1795361166.548515	U0ADA	look twice	mention	2026-11-22 15:26:06.57952+00	1
T0LOCAL	13	T0LOCAL:C0OPS:1795361206.074368	A0GREENLIGHT	EvNFAIMJMGYJ	C0OPS	1795361206.074368	U0ADA	count what is there	mention	2026-11-22 15:26:46.120341+00	1
\.


--
-- Data for Name: leases; Type: TABLE DATA; Schema: public; Owner: -
--

COPY public.leases (tenant, thread, worker, job, token, taken_at) FROM stdin;
T0LOCAL	T0LOCAL:C0OPS:1795361206.074368	56dec38a168c4b34a209804ba0593d1e	10	10	2026-11-22 15:27:18.099302+00
\.


--
-- Data for Name: ledger; Type: TABLE DATA; Schema: public; Owner: -
--

COPY public.ledger (tenant, thread, node, attempt, digest, state, result, started_at, finished_at) FROM stdin;
T0LOCAL	T0LOCAL:C0OPS:1795361118.231631	tell-0	1	dd9bb4212f94382d2eedf9c9feac5c3489d4e01493a015b976f49b52a3026ab2	done	{"state":"succeeded","value":{"channel":"C0INCIDENTS","ts":"1795361120.576964"}}	2026-11-22 15:25:20.532365+00	2026-11-22 15:25:20.610242+00
T0LOCAL	T0LOCAL:C0OPS:1795361120.975637	tell	1	61841264d1c2a7e11f0135367a1fdb3a0e674903ae3bcccf3c9eac427acfeccf	started	\N	2026-11-22 15:25:22.751292+00	\N
\.


--
-- Data for Name: nodes; Type: TABLE DATA; Schema: public; Owner: -
--

COPY public.nodes (tenant, thread, node, turn, noted, title, kind, tool, colour, author, state, detail, depends_on, outcome, planned_at, changed_at, started_at, ended_at) FROM stdin;
T0LOCAL	T0LOCAL:C0OPS:1795361077.353857	first	1	1	Title of first	tool	slack_read_channel	green	U0ADA	succeeded		[]	{"state":"succeeded","value":{"channel":{"id":"C0GENERAL","name":"general"},"messages":[{"ts":"1795361077.160854","at":"2026-11-22T15:24:37+00:00","author":{"id":"U0ADA","name":"Ada Lovelace"},"text":"first"}],"truncated":false}}	2026-11-22 15:25:09.341529+00	2026-11-22 15:25:09.783579+00	2026-11-22 15:25:09.471864+00	2026-11-22 15:25:09.783579+00
T0LOCAL	T0LOCAL:C0OPS:1795361118.231631	tell	1	11	Title of tell	tool	slack_post_message	green	U0ADA	running		["find"]	\N	2026-11-22 15:25:18.978195+00	2026-11-22 15:25:19.127308+00	2026-11-22 15:25:19.127308+00	\N
T0LOCAL	T0LOCAL:C0OPS:1795361077.353857	after	1	4	Title of after	tool	slack_read_channel	green	U0ADA	planned		["tell"]	\N	2026-11-22 15:25:09.932142+00	2026-11-22 15:25:09.932142+00	\N	\N
T0LOCAL	T0LOCAL:C0OPS:1795361077.353857	third	1	2	Title of second → Title of third	package	\N	green	U0ADA	succeeded		["first"]	{"state":"succeeded","value":{"channel":{"id":"C0GENERAL","name":"general"},"messages":[{"ts":"1795361077.163255","at":"2026-11-22T15:24:37+00:00","author":{"id":"U0ADA","name":"Ada Lovelace"},"text":"third"}],"truncated":false}}	2026-11-22 15:25:09.673672+00	2026-11-22 15:25:10.154939+00	2026-11-22 15:25:09.784815+00	2026-11-22 15:25:10.154939+00
T0LOCAL	T0LOCAL:C0OPS:1795361077.353857	tell	1	3	Title of tell	tool	slack_post_message	red	U0ADA	asking		["third"]	\N	2026-11-22 15:25:09.813601+00	2026-11-22 15:25:10.28045+00	\N	\N
T0LOCAL	T0LOCAL:C0OPS:1795361111.230644	look0	1	5	Title of look0	tool	slack_read_channel	green	U0ADA	succeeded		[]	{"state":"succeeded","value":{"channel":{"id":"C0GENERAL","name":"general"},"messages":[{"ts":"1795361077.179118","at":"2026-11-22T15:24:37+00:00","author":{"id":"U0ADA","name":"Ada Lovelace"},"text":"round-0"}],"truncated":false}}	2026-11-22 15:25:11.827585+00	2026-11-22 15:25:11.961526+00	2026-11-22 15:25:11.855686+00	2026-11-22 15:25:11.961526+00
T0LOCAL	T0LOCAL:C0OPS:1795361118.231631	tell-2	1	15	Title of tell (3 of 3)	tool	slack_post_message	red	U0ADA	asking		["find"]	\N	2026-11-22 15:25:19.136224+00	2026-11-22 15:25:19.161488+00	\N	\N
T0LOCAL	T0LOCAL:C0OPS:1795361111.230644	look1	1	6	Title of look1	tool	slack_read_channel	green	U0ADA	succeeded		[]	{"state":"succeeded","value":{"channel":{"id":"C0GENERAL","name":"general"},"messages":[{"ts":"1795361077.179746","at":"2026-11-22T15:24:37+00:00","author":{"id":"U0ADA","name":"Ada Lovelace"},"text":"round-1"}],"truncated":false}}	2026-11-22 15:25:12.444771+00	2026-11-22 15:25:12.521587+00	2026-11-22 15:25:12.464594+00	2026-11-22 15:25:12.521587+00
T0LOCAL	T0LOCAL:C0OPS:1795361118.231631	tell-1	1	14	Title of tell (2 of 3)	tool	slack_post_message	red	U0ADA	skipped		["find"]	{"state":"skipped","because":"find","why":"its condition was not met"}	2026-11-22 15:25:19.136124+00	2026-11-22 15:25:19.332217+00	\N	2026-11-22 15:25:19.332217+00
T0LOCAL	T0LOCAL:C0OPS:1795361111.230644	look2	1	7	Title of look2	tool	slack_read_channel	green	U0ADA	succeeded		[]	{"state":"succeeded","value":{"channel":{"id":"C0GENERAL","name":"general"},"messages":[{"ts":"1795361077.187896","at":"2026-11-22T15:24:37+00:00","author":{"id":"U0ADA","name":"Ada Lovelace"},"text":"round-2"}],"truncated":false}}	2026-11-22 15:25:13.407479+00	2026-11-22 15:25:13.467467+00	2026-11-22 15:25:13.419307+00	2026-11-22 15:25:13.467467+00
T0LOCAL	T0LOCAL:C0OPS:1795361118.231631	tell-0	1	13	Title of tell (1 of 3)	tool	slack_post_message	red	U0ADA	succeeded		["find"]	{"state":"succeeded","value":{"channel":"C0INCIDENTS","ts":"1795361120.576964"}}	2026-11-22 15:25:19.135878+00	2026-11-22 15:25:20.638658+00	2026-11-22 15:25:20.548851+00	2026-11-22 15:25:20.638658+00
T0LOCAL	T0LOCAL:C0OPS:1795361111.230644	look3	1	8	Title of look3	tool	slack_read_channel	green	U0ADA	succeeded		[]	{"state":"succeeded","value":{"channel":{"id":"C0GENERAL","name":"general"},"messages":[{"ts":"1795361077.199415","at":"2026-11-22T15:24:37+00:00","author":{"id":"U0ADA","name":"Ada Lovelace"},"text":"round-3"}],"truncated":false}}	2026-11-22 15:25:14.161678+00	2026-11-22 15:25:14.225112+00	2026-11-22 15:25:14.162736+00	2026-11-22 15:25:14.225112+00
T0LOCAL	T0LOCAL:C0OPS:1795361115.280261	look	1	9	Title of look	tool	slack_read_channel	green	U0ADA	succeeded		[]	{"state":"succeeded","value":{"channel":{"id":"C0GENERAL","name":"general"},"messages":[{"ts":"1795361077.205819","at":"2026-11-22T15:24:37+00:00","author":{"id":"U0ADA","name":"Ada Lovelace"},"text":"asked"}],"truncated":false}}	2026-11-22 15:25:16.721936+00	2026-11-22 15:25:16.913881+00	2026-11-22 15:25:16.73971+00	2026-11-22 15:25:16.913881+00
T0LOCAL	T0LOCAL:C0OPS:1795361118.231631	behind	1	12	Title of behind	tool	slack_read_channel	green	U0ADA	planned		["tell"]	\N	2026-11-22 15:25:18.978447+00	2026-11-22 15:25:18.978447+00	\N	\N
T0LOCAL	T0LOCAL:C0OPS:1795361118.231631	find	1	10	Title of find	package	\N	green	U0ADA	succeeded		[]	{"state":"succeeded","value":{"hosts":[{"name":"a","down":true},{"name":"b","down":false},{"name":"c","down":true}]}}	2026-11-22 15:25:18.817339+00	2026-11-22 15:25:19.093815+00	2026-11-22 15:25:18.826956+00	2026-11-22 15:25:19.093815+00
T0LOCAL	T0LOCAL:C0OPS:1795361120.975637	tell	1	23	Title of tell	tool	slack_post_message	red	U0ADA	unknown		["before"]	\N	2026-11-22 15:25:21.406117+00	2026-11-22 15:26:01.640634+00	2026-11-22 15:25:22.768091+00	\N
T0LOCAL	T0LOCAL:C0OPS:1795361120.975637	before	1	22	Title of before	tool	slack_read_channel	green	U0ADA	succeeded		[]	{"state":"succeeded","value":{"channel":{"id":"C0GENERAL","name":"general"},"messages":[{"ts":"1795361077.177590","at":"2026-11-22T15:24:37+00:00","author":{"id":"U0ADA","name":"Ada Lovelace"},"text":"before-unknown"}],"truncated":false}}	2026-11-22 15:25:21.340641+00	2026-11-22 15:25:21.441361+00	2026-11-22 15:25:21.350641+00	2026-11-22 15:25:21.441361+00
T0LOCAL	T0LOCAL:C0OPS:1795361120.975637	after	1	24	Title of after	tool	slack_read_channel	green	U0ADA	planned		["tell"]	\N	2026-11-22 15:25:21.516569+00	2026-11-22 15:25:21.516569+00	\N	\N
T0LOCAL	T0LOCAL:C0OPS:1795361166.548515	two	1	32	Title of two	tool	slack_read_channel	green	U0ADA	planned		["one"]	\N	2026-11-22 15:26:42.232453+00	2026-11-22 15:26:42.232453+00	\N	\N
T0LOCAL	T0LOCAL:C0OPS:1795361166.548515	one	1	31	Title of one	tool	slack_read_channel	green	U0ADA	succeeded		[]	{"state":"succeeded","value":{"channel":{"id":"C0GENERAL","name":"general"},"messages":[{"ts":"1795361077.207089","at":"2026-11-22T15:24:37+00:00","author":{"id":"U0ADA","name":"Ada Lovelace"},"text":"budget-1"}],"truncated":false}}	2026-11-22 15:26:42.232123+00	2026-11-22 15:26:42.245179+00	2026-11-22 15:26:42.234986+00	2026-11-22 15:26:42.245179+00
T0LOCAL	T0LOCAL:C0OPS:1795361206.074368	count	1	33	Title of count	package	\N	green	U0ADA	running		[]	\N	2026-11-22 15:27:20.746232+00	2026-11-22 15:27:20.748232+00	2026-11-22 15:27:20.748232+00	\N
\.


--
-- Data for Name: operations; Type: TABLE DATA; Schema: public; Owner: -
--

COPY public.operations (tenant, thread, seq, turn, author, operation, adds, at) FROM stdin;
T0LOCAL	T0LOCAL:C0OPS:1795361077.353857	1	1	U0ADA	{"op":"add","id":"first","kind":"tool","title":"Title of first","tool":"slack_read_channel","args":{"channel":"#general","thread_ts":"1795361077.160854"}}	first	2026-11-22 15:25:08.584261+00
T0LOCAL	T0LOCAL:C0OPS:1795361077.353857	2	1	U0ADA	{"op":"add","id":"third","kind":"package","title":"Title of second \\u2192 Title of third","depends_on":["first"],"code":"# Packed: second -> third\\ndef main(inputs):\\n    second = tools.slack_read_channel(channel='#general', thread_ts='1795361077.162467')\\n    return tools.slack_read_channel(channel='#general', thread_ts='1795361077.163255')\\n","tools":["slack_read_channel"],"packed":[{"id":"second","title":"Title of second","tool":"slack_read_channel","digest":"21cd01ba0be650a51cc831bf0e7691bfc0281e8c22e26c28fc7dd12b07463154"},{"id":"third","title":"Title of third","tool":"slack_read_channel","digest":"48e6ba8dfc7b9c7de1a6e96280b73c4519f72313bf4938e252afc9b1670d76ac"}]}	third	2026-11-22 15:25:09.143683+00
T0LOCAL	T0LOCAL:C0OPS:1795361077.353857	3	1	U0ADA	{"op":"add","id":"tell","kind":"tool","title":"Title of tell","depends_on":["third"],"tool":"slack_post_message","args":{"channel":"#incidents","text":"all is well on ${third#/messages/0/text}"}}	tell	2026-11-22 15:25:09.511279+00
T0LOCAL	T0LOCAL:C0OPS:1795361077.353857	4	1	U0ADA	{"op":"add","id":"after","kind":"tool","title":"Title of after","depends_on":["tell"],"tool":"slack_read_channel","args":{"channel":"#general","thread_ts":"1795361077.163931"}}	after	2026-11-22 15:25:09.757895+00
T0LOCAL	T0LOCAL:C0OPS:1795361111.230644	1	1	U0ADA	{"op":"add","id":"look0","kind":"tool","title":"Title of look0","tool":"slack_read_channel","args":{"channel":"#general","thread_ts":"1795361077.179118"}}	look0	2026-11-22 15:25:11.68381+00
T0LOCAL	T0LOCAL:C0OPS:1795361111.230644	2	1	U0ADA	{"op":"add","id":"look1","kind":"tool","title":"Title of look1","tool":"slack_read_channel","args":{"channel":"#general","thread_ts":"1795361077.179746"}}	look1	2026-11-22 15:25:12.281882+00
T0LOCAL	T0LOCAL:C0OPS:1795361111.230644	3	1	U0ADA	{"op":"add","id":"look2","kind":"tool","title":"Title of look2","tool":"slack_read_channel","args":{"channel":"#general","thread_ts":"1795361077.187896"}}	look2	2026-11-22 15:25:13.207957+00
T0LOCAL	T0LOCAL:C0OPS:1795361111.230644	4	1	U0ADA	{"op":"add","id":"look3","kind":"tool","title":"Title of look3","tool":"slack_read_channel","args":{"channel":"#general","thread_ts":"1795361077.199415"}}	look3	2026-11-22 15:25:13.87172+00
T0LOCAL	T0LOCAL:C0OPS:1795361115.280261	1	1	U0ADA	{"op":"add","id":"look","kind":"tool","title":"Title of look","tool":"slack_read_channel","args":{"channel":"#general","thread_ts":"1795361077.205819"}}	look	2026-11-22 15:25:16.350404+00
T0LOCAL	T0LOCAL:C0OPS:1795361118.231631	1	1	U0ADA	{"op":"add","id":"find","kind":"package","title":"Title of find","code":"def main(inputs):\\n    hosts = [{'name': name, 'down': name != 'b'} for name in ['a', 'b', 'c']]\\n    return {'hosts': hosts}\\n"}	find	2026-11-22 15:25:18.62662+00
T0LOCAL	T0LOCAL:C0OPS:1795361118.231631	2	1	U0ADA	{"op":"add","id":"tell","kind":"tool","title":"Title of tell","depends_on":["find"],"tool":"slack_post_message","args":{"channel":"#incidents","text":"host ${item#/name} is down"},"for_each":"${find#/hosts}","when":"${item#/down}"}	tell	2026-11-22 15:25:18.779563+00
T0LOCAL	T0LOCAL:C0OPS:1795361118.231631	3	1	U0ADA	{"op":"add","id":"behind","kind":"tool","title":"Title of behind","depends_on":["tell"],"tool":"slack_read_channel","args":{"channel":"#general","thread_ts":"1795361077.208045"}}	behind	2026-11-22 15:25:18.793769+00
T0LOCAL	T0LOCAL:C0OPS:1795361118.231631	4	1	U0ADA	{"op":"add","id":"tell-0","kind":"tool","title":"Title of tell (1 of 3)","depends_on":["find"],"tool":"slack_post_message","args":{"channel":"#incidents","text":"host ${find#/hosts/0/name} is down"},"when":"${find#/hosts/0/down}","item_of":"tell"}	tell-0	2026-11-22 15:25:19.112581+00
T0LOCAL	T0LOCAL:C0OPS:1795361118.231631	5	1	U0ADA	{"op":"add","id":"tell-1","kind":"tool","title":"Title of tell (2 of 3)","depends_on":["find"],"tool":"slack_post_message","args":{"channel":"#incidents","text":"host ${find#/hosts/1/name} is down"},"when":"${find#/hosts/1/down}","item_of":"tell"}	tell-1	2026-11-22 15:25:19.112581+00
T0LOCAL	T0LOCAL:C0OPS:1795361118.231631	6	1	U0ADA	{"op":"add","id":"tell-2","kind":"tool","title":"Title of tell (3 of 3)","depends_on":["find"],"tool":"slack_post_message","args":{"channel":"#incidents","text":"host ${find#/hosts/2/name} is down"},"when":"${find#/hosts/2/down}","item_of":"tell"}	tell-2	2026-11-22 15:25:19.112581+00
T0LOCAL	T0LOCAL:C0OPS:1795361118.231631	7	1	U0ADA	{"op":"skip","id":"tell-1","because":"find","why":"its condition was not met"}	\N	2026-11-22 15:25:19.1645+00
T0LOCAL	T0LOCAL:C0OPS:1795361120.975637	1	1	U0ADA	{"op":"add","id":"before","kind":"tool","title":"Title of before","tool":"slack_read_channel","args":{"channel":"#general","thread_ts":"1795361077.177590"}}	before	2026-11-22 15:25:21.271748+00
T0LOCAL	T0LOCAL:C0OPS:1795361120.975637	2	1	U0ADA	{"op":"add","id":"tell","kind":"tool","title":"Title of tell","depends_on":["before"],"tool":"slack_post_message","args":{"channel":"#incidents","text":"what is unknown"}}	tell	2026-11-22 15:25:21.313647+00
T0LOCAL	T0LOCAL:C0OPS:1795361120.975637	3	1	U0ADA	{"op":"add","id":"after","kind":"tool","title":"Title of after","depends_on":["tell"],"tool":"slack_read_channel","args":{"channel":"#general","thread_ts":"1795361077.178499"}}	after	2026-11-22 15:25:21.394383+00
T0LOCAL	T0LOCAL:C0OPS:1795361166.548515	1	1	U0ADA	{"op":"add","id":"one","kind":"tool","title":"Title of one","tool":"slack_read_channel","args":{"channel":"#general","thread_ts":"1795361077.207089"}}	one	2026-11-22 15:26:42.176955+00
T0LOCAL	T0LOCAL:C0OPS:1795361166.548515	2	1	U0ADA	{"op":"add","id":"two","kind":"tool","title":"Title of two","depends_on":["one"],"tool":"slack_read_channel","args":{"channel":"#general","thread_ts":"1795361077.207568"}}	two	2026-11-22 15:26:42.202633+00
T0LOCAL	T0LOCAL:C0OPS:1795361206.074368	1	1	U0ADA	{"op":"add","id":"count","kind":"package","title":"Title of count","code":"def main(inputs):\\n    page = tools.slack_read_channel(channel=inputs[\\"channel\\"], thread_ts=inputs[\\"ts\\"])\\n    return {\\"counted\\": len(page[\\"messages\\"]), \\"of\\": page[\\"kinds\\"]}\\n","inputs":{"channel":"#general","ts":"1795361077.217517"},"tools":["slack_read_channel"]}	count	2026-11-22 15:27:20.445884+00
\.


--
-- Data for Name: posts; Type: TABLE DATA; Schema: public; Owner: -
--

COPY public.posts (tenant, thread, turn, post, key, begun_at, ts, shown) FROM stdin;
T0LOCAL	T0LOCAL:C0OPS:1795361120.975637	1	card	23973663e8058a64052f4ee0adc1a5d1	2026-11-22 15:25:21.741693+00	1795361121.754959	f08b3c3926f960ca25d10ec62e64036ec1eeee558a0501297a035b368155b74d
T0LOCAL	T0LOCAL:C0OPS:1795361077.353857	1	card	d585aae6e0ea800a401483a0bfa750c3	2026-11-22 15:25:10.90686+00	1795361110.926995	4218b8584034a19673e7c10fb5f05178e5ec4dc3874dadba849aa7caf52897e8
T0LOCAL	T0LOCAL:C0OPS:1795361077.353857	1	board		2026-11-22 15:25:10.147692+00	1795361110.175696	545466ab8ba3881bf08b238d6a3bc676b80536e38ae620c1ef154b40fa618f99
T0LOCAL	T0LOCAL:C0OPS:1795361077.353857	1	session		2026-11-22 15:25:07.86082+00		suspended
T0LOCAL	T0LOCAL:C0OPS:1795361120.975637	1	card	4dfd7227df9bef6c052f4ee0adc1a5d1	2026-11-22 15:26:01.908649+00	1795361161.912772	f8f14c7a81e94259343ce371b8ac06bbf44726f59bf101584cec76fce17626ca
T0LOCAL	T0LOCAL:C0OPS:1795361111.230644	1	card	12b8c36909ffcfaa13a7cda17d478a8b	2026-11-22 15:25:15.002787+00	1795361115.011377	2ffac3ad6f2aea0507eb0d0247ef184639df37a9cd00ba952b526c71184875f7
T0LOCAL	T0LOCAL:C0OPS:1795361111.230644	1	board		2026-11-22 15:25:12.522716+00	1795361112.553887	416233d61ec992489241e997c832f7e121ae21dcd9a6e42b0fd111b515f6bd77
T0LOCAL	T0LOCAL:C0OPS:1795361111.230644	1	session		2026-11-22 15:25:11.932408+00		suspended
T0LOCAL	T0LOCAL:C0OPS:1795361120.975637	1	board		2026-11-22 15:25:21.547745+00	1795361121.563940	2d11157287b71a73e0464ea23ebc7c50ff46a7cc81c10aecbd51a3a700f59ba6
T0LOCAL	T0LOCAL:C0OPS:1795361120.975637	1	session		2026-11-22 15:25:21.946475+00		suspended
T0LOCAL	T0LOCAL:C0OPS:1795361115.280261	1	card	6b60c4f78b05769278ba0efdd77a93c8	2026-11-22 15:25:17.942786+00	1795361117.980658	4abb5cbd55b8cde8465c7cdcdbf0d2664c3effb369d506290bbe3a503285e3d4
T0LOCAL	T0LOCAL:C0OPS:1795361115.280261	1	board		2026-11-22 15:25:17.10326+00	1795361117.137112	093d108649d40675c472884c057c3afd37502457f6049ad9a1023ceaeda59fc6
T0LOCAL	T0LOCAL:C0OPS:1795361115.280261	1	session		2026-11-22 15:25:16.45969+00		suspended
T0LOCAL	T0LOCAL:C0OPS:1795361118.231631	1	card	9b574f4f475ac9f8f78aba8ece17b1f4	2026-11-22 15:25:19.863974+00	1795361119.906470	d60fab7299d499143676757a1c863917454ee9d2d7faf1d3e15ba6ed3589d352
T0LOCAL	T0LOCAL:C0OPS:1795361118.231631	1	card	ec23e60611135303c34931fd0c2ac20b	2026-11-22 15:25:19.767494+00	1795361119.805387	eabd39806f8ac6f080c113d0f63465a8eaeff88534021269f9e5a0ab937a1dd5
T0LOCAL	T0LOCAL:C0OPS:1795361166.548515	1	card	fa032e9a84cae897dd85c303b69148c7	2026-11-22 15:26:42.574221+00	1795361202.633826	2934128026e5141cc12cf8119b6bbe6fc6323deacf14950601eb9f0598a131ce
T0LOCAL	T0LOCAL:C0OPS:1795361166.548515	1	board		2026-11-22 15:26:42.430931+00	1795361202.450368	03d550797b955c660d8ddcf8fe71cc154deeeb12694dcdf531edf62ac25e808c
T0LOCAL	T0LOCAL:C0OPS:1795361166.548515	1	session		2026-11-22 15:26:41.919001+00		suspended
T0LOCAL	T0LOCAL:C0OPS:1795361118.231631	1	board		2026-11-22 15:25:19.535534+00	1795361119.588802	67569dc15d8c67d93a899859ad6883fed858288691fd2991ce9d85e598525a40
T0LOCAL	T0LOCAL:C0OPS:1795361118.231631	1	session		2026-11-22 15:25:19.087264+00		suspended
T0LOCAL	T0LOCAL:C0OPS:1795361206.074368	1	session		2026-11-22 15:27:19.8332+00		processing
T0LOCAL	T0LOCAL:C0OPS:1795361206.074368	1	board		2026-11-22 15:27:21.216398+00	\N	\N
\.


--
-- Data for Name: procrastinate_events; Type: TABLE DATA; Schema: public; Owner: -
--

COPY public.procrastinate_events (id, job_id, type, at) FROM stdin;
19	10	deferred	2026-11-22 15:26:46.120341+00
20	10	started	2026-11-22 15:27:17.959469+00
\.


--
-- Data for Name: procrastinate_jobs; Type: TABLE DATA; Schema: public; Owner: -
--

COPY public.procrastinate_jobs (id, queue_name, task_name, priority, lock, queueing_lock, args, status, scheduled_at, attempts, abort_requested, worker_id) FROM stdin;
10	default	wake	0	T0LOCAL:C0OPS:1795361206.074368	T0LOCAL:C0OPS:1795361206.074368	{"thread": "T0LOCAL:C0OPS:1795361206.074368", "failures": 0}	doing	\N	0	f	4
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
1	2026-11-22 15:25:22.829879+00
4	2026-11-22 15:27:20.976184+00
\.


--
-- Data for Name: queue_migrations; Type: TABLE DATA; Schema: public; Owner: -
--

COPY public.queue_migrations (name, applied_at) FROM stdin;
00.00.00_01_initial.sql	2026-11-22 11:09:39.564784+00
00.05.00_01_drop_started_at_column.sql	2026-11-22 11:09:39.564784+00
00.05.00_02_drop_started_at_column.sql	2026-11-22 11:09:39.564784+00
00.05.00_03_drop_procrastinate_version_table.sql	2026-11-22 11:09:39.564784+00
00.06.00_01_fix_procrastinate_fetch_job.sql	2026-11-22 11:09:39.564784+00
00.07.01_01_fix_trigger_status_events_insert.sql	2026-11-22 11:09:39.564784+00
00.08.01_01_add_queueing_lock_column.sql	2026-11-22 11:09:39.564784+00
00.10.00_01_close_fetch_job_race_condition.sql	2026-11-22 11:09:39.564784+00
00.10.00_02_add_defer_job_function.sql	2026-11-22 11:09:39.564784+00
00.11.00_03_add_procrastinate_periodic_defers.sql	2026-11-22 11:09:39.564784+00
00.12.00_01_add_foreign_key_index.sql	2026-11-22 11:09:39.564784+00
00.14.00_01_add_locks_to_periodic_defer.sql	2026-11-22 11:09:39.564784+00
00.15.02_01_fix_procrastinate_defer_periodic_job.sql	2026-11-22 11:09:39.564784+00
00.16.00_01_add_finish_job_and_retry_job_functions.sql	2026-11-22 11:09:39.564784+00
00.17.00_01_add_trigger_on_job_deletion.sql	2026-11-22 11:09:39.564784+00
00.17.00_02_delete_finished_jobs.sql	2026-11-22 11:09:39.564784+00
00.17.00_03_add_checks_to_finish_job.sql	2026-11-22 11:09:39.564784+00
00.17.00_04_add_checks_to_retry_job.sql	2026-11-22 11:09:39.564784+00
00.18.01_01_fix_finish_job_compat_issue.sql	2026-11-22 11:09:39.564784+00
00.19.00_01_add_index_on_procrastinate_jobs.sql	2026-11-22 11:09:39.564784+00
00.22.00_01_add_kwargs_to_defer_periodic_job.sql	2026-11-22 11:09:39.564784+00
00.23.00_01_null_locks_excluded.sql	2026-11-22 11:09:39.564784+00
01.00.00_01_remove_old_finish_job_function.sql	2026-11-22 11:09:39.564784+00
01.01.01_01_job_id_bigint.sql	2026-11-22 11:09:39.564784+00
02.00.03_01_add_job_priority.sql	2026-11-22 11:09:39.564784+00
02.05.00_01_add_periodic_job_priority.sql	2026-11-22 11:09:39.564784+00
02.06.00_01_add_cancel_states.sql	2026-11-22 11:09:39.564784+00
02.08.00_01_add_additional_params_to_retry_job.sql	2026-11-22 11:09:39.564784+00
02.14.01_01_add_indexes_for_fetch_job.sql	2026-11-22 11:09:39.564784+00
03.00.00_01_pre_cancel_notification.sql	2026-11-22 11:09:39.564784+00
03.00.00_50_post_cancel_notification.sql	2026-11-22 11:09:39.564784+00
03.01.00_01_pre_add_heartbeat.sql	2026-11-22 11:09:39.564784+00
03.01.00_50_post_add_heartbeat.sql	2026-11-22 11:09:39.564784+00
03.02.00_01_pre_batch_defer_jobs.sql	2026-11-22 11:09:39.564784+00
03.02.00_50_post_batch_defer_jobs.sql	2026-11-22 11:09:39.564784+00
03.03.00_01_pre_priority_lock_fetch_job.sql	2026-11-22 11:09:39.564784+00
03.04.00_01_pre_add_retry_failed_job_procedure.sql	2026-11-22 11:09:39.564784+00
03.04.00_50_post_add_retry_failed_job_procedure.sql	2026-11-22 11:09:39.564784+00
\.


--
-- Data for Name: results; Type: TABLE DATA; Schema: public; Owner: -
--

COPY public.results (tenant, author, tool, version, arguments, value, kept_at, expires_at) FROM stdin;
\.


--
-- Data for Name: runs; Type: TABLE DATA; Schema: public; Owner: -
--

COPY public.runs (tenant, thread, turn, channel, requester, status, replies, trouble, answer, started_at, ended_at, settled, reflections, model_calls, input_tokens, output_tokens, cost_micros, work_milliseconds, nodes, packing) FROM stdin;
T0LOCAL	T0LOCAL:C0OPS:1795361077.353857	1	C0OPS	U0ADA	waiting	[]			2026-11-22 15:25:06.046046+00	\N	f	[]	1	3020	242	0	4830	0	{"fusions":[["second","third"]],"splits":[["third","tell","RED",""],["tell","after","RED",""]]}
T0LOCAL	T0LOCAL:C0OPS:1795361120.975637	1	C0OPS	U0ADA	waiting	[]			2026-11-22 15:25:21.058565+00	\N	f	[]	1	3020	138	0	2459	0	{}
T0LOCAL	T0LOCAL:C0OPS:1795361166.548515	1	C0OPS	U0ADA	waiting	[]			2026-11-22 15:26:40.9114+00	\N	f	[]	1	3016	89	0	1778	1	{}
T0LOCAL	T0LOCAL:C0OPS:1795361206.074368	1	C0OPS	U0ADA	running	[]			2026-11-22 15:27:18.240339+00	\N	f	[]	1	3018	93	0	2456	0	{}
T0LOCAL	T0LOCAL:C0OPS:1795361111.230644	1	C0OPS	U0ADA	waiting	[]			2026-11-22 15:25:11.343645+00	\N	f	[]	5	12150	251	0	3614	0	{}
T0LOCAL	T0LOCAL:C0OPS:1795361115.280261	1	C0OPS	U0ADA	waiting	[]			2026-11-22 15:25:15.635092+00	\N	f	[]	2	5112	57	0	2521	0	{}
T0LOCAL	T0LOCAL:C0OPS:1795361118.231631	1	C0OPS	U0ADA	waiting	[]			2026-11-22 15:25:18.392982+00	\N	f	[]	1	3022	159	0	2228	0	{"fusions":[],"splits":[["tell","behind","TEMPLATE",""]]}
\.


--
-- Data for Name: summaries; Type: TABLE DATA; Schema: public; Owner: -
--

COPY public.summaries (tenant, thread, upto_turn, text, written_at) FROM stdin;
\.


--
-- Data for Name: threads; Type: TABLE DATA; Schema: public; Owner: -
--

COPY public.threads (tenant, thread, channel, last_seq, created_at, looked_for_at) FROM stdin;
T0LOCAL	T0LOCAL:C0OPS:1795361077.353857	C0OPS	4	2026-11-22 15:24:37.570851+00	\N
T0LOCAL	T0LOCAL:C0OPS:1795361111.230644	C0OPS	4	2026-11-22 15:25:11.276873+00	\N
T0LOCAL	T0LOCAL:C0OPS:1795361115.280261	C0OPS	1	2026-11-22 15:25:15.347773+00	\N
T0LOCAL	T0LOCAL:C0OPS:1795361118.231631	C0OPS	7	2026-11-22 15:25:18.247029+00	\N
T0LOCAL	T0LOCAL:C0OPS:1795361120.975637	C0OPS	3	2026-11-22 15:25:20.990836+00	\N
T0LOCAL	T0LOCAL:C0OPS:1795361166.548515	C0OPS	2	2026-11-22 15:26:06.57952+00	\N
T0LOCAL	T0LOCAL:C0OPS:1795361206.074368	C0OPS	1	2026-11-22 15:26:46.120341+00	\N
\.


--
-- Data for Name: workers; Type: TABLE DATA; Schema: public; Owner: -
--

COPY public.workers (id, host, pid, queue_worker, started_at, heartbeat_at, dead_at, buried_at) FROM stdin;
cf0a343879904e7ea4570d78c73d3cc0	a-machine	14541	1	2026-11-22 15:25:05.506424+00	2026-11-22 15:25:22.664037+00	2026-11-22 15:26:00.284384+00	2026-11-22 15:26:00.340188+00
56dec38a168c4b34a209804ba0593d1e	a-machine	20943	4	2026-11-22 15:27:17.680327+00	2026-11-22 15:27:21.026809+00	\N	\N
\.


--
-- Name: approvals_asked_seq; Type: SEQUENCE SET; Schema: public; Owner: -
--

SELECT pg_catalog.setval('public.approvals_asked_seq', 11, true);


--
-- Name: audit_id_seq; Type: SEQUENCE SET; Schema: public; Owner: -
--

SELECT pg_catalog.setval('public.audit_id_seq', 15, true);


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

SELECT pg_catalog.setval('public.nodes_noted_seq', 33, true);


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
-- Name: ix_approvals_expiring; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX ix_approvals_expiring ON public.approvals USING btree (expires_at) WHERE (status = 'pending'::text);


--
-- Name: ix_approvals_id; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX ix_approvals_id ON public.approvals USING btree (id);


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
-- Name: procrastinate_jobs greenlight_hand_over_lock_delete; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER greenlight_hand_over_lock_delete AFTER DELETE ON public.procrastinate_jobs FOR EACH ROW WHEN (((old.status = 'doing'::public.procrastinate_job_status) AND (old.lock IS NOT NULL))) EXECUTE FUNCTION public.greenlight_hand_over_lock();


--
-- Name: procrastinate_jobs greenlight_hand_over_lock_update; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER greenlight_hand_over_lock_update AFTER UPDATE OF status ON public.procrastinate_jobs FOR EACH ROW WHEN (((old.status = 'doing'::public.procrastinate_job_status) AND (new.status <> 'doing'::public.procrastinate_job_status) AND (old.lock IS NOT NULL))) EXECUTE FUNCTION public.greenlight_hand_over_lock();


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



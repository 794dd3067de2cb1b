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
T0LOCAL	f19414aceb46c0009c601c7df94ca327	T0LOCAL:C0OPS:1795345312.345023	1	tell	approve	Title of tell	slack_post_message	{"channel":"#incidents","text":"all is well on third"}	627d3e34fd177173d32d6248b79c68a40c67149c7ddc75861b2724a70607a677	U0ADA	1	["Title of after"]	1	2026-11-22 11:02:01.681642+00	\N	1	pending	\N		\N
T0LOCAL	73f63b8ea5874d40f94e501dc2d86321	T0LOCAL:C0OPS:1795345321.836016	1		rounds		reflection	{}	674d4761a590807b70dc2280da406da74f00319de82b3fdc528c4974d024b0b3	U0ADA	1	["Title of look4"]	2	2026-11-22 11:02:02.323272+00	\N	1	pending	\N		\N
T0LOCAL	e0c088067f44c8d2766bf56c040b9364	T0LOCAL:C0OPS:1795345322.475037	1		ask	Which region do you mean?	reflection	{}	e8634b5f23f3e4a8386db858ce22322899fe6be1ca998085807a96b3e46c2ce6	U0ADA	1	[]	3	2026-11-22 11:02:02.663432+00	\N	1	pending	\N		\N
T0LOCAL	47f0d42fd3a72779f78aba8ece17b1f4	T0LOCAL:C0OPS:1795345324.081574	1	tell-2	approve	Title of tell (3 of 3)	slack_post_message	{"channel":"#incidents","text":"host c is down"}	08dd4bc61eded2d0eedc8d2d260714f0f17871e44ecfd39464dad988f2f938e5	U0ADA	1	["Title of behind"]	5	2026-11-22 11:02:04.341576+00	\N	1	pending	\N		\N
T0LOCAL	5333270464150ecac34931fd0c2ac20b	T0LOCAL:C0OPS:1795345324.081574	1	tell-0	approve	Title of tell (1 of 3)	slack_post_message	{"channel":"#incidents","text":"host a is down"}	dd9bb4212f94382d2eedf9c9feac5c3489d4e01493a015b976f49b52a3026ab2	U0ADA	1	["Title of behind"]	4	2026-11-22 11:02:04.339058+00	\N	1	approved	U0GRACE		2026-11-22 11:02:07.29882+00
T0LOCAL	262e1ac2348a96ab052f4ee0adc1a5d1	T0LOCAL:C0OPS:1795345327.528241	1	tell	approve	Title of tell	slack_post_message	{"channel":"#incidents","text":"what is unknown"}	61841264d1c2a7e11f0135367a1fdb3a0e674903ae3bcccf3c9eac427acfeccf	U0ADA	1	[]	8	2026-11-22 11:02:07.6909+00	\N	1	approved	U0GRACE		2026-11-22 11:02:09.437307+00
T0LOCAL	1ee1a230703c4a19052f4ee0adc1a5d1	T0LOCAL:C0OPS:1795345327.528241	1	tell	unknown	Title of tell	slack_post_message	{"channel":"#incidents","text":"what is unknown"}	61841264d1c2a7e11f0135367a1fdb3a0e674903ae3bcccf3c9eac427acfeccf	U0ADA	1	["Title of after"]	10	2026-11-22 11:02:18.545308+00	\N	1	pending	\N		\N
T0LOCAL	e3409c44f15660bb66d9995c6864cf72	T0LOCAL:C0OPS:1795345340.073854	1		budget		budget	{"breaches":[{"scope":"run","measure":"nodes","used":1,"most":1}],"currency":"$"}	1179feb9d60152c993a68971e9d0423d3bfe00788ec9d31019514ded52138685	U0ADA	1	[]	11	2026-11-22 11:02:29.484409+00	\N	1	pending	\N		\N
\.


--
-- Data for Name: artifact_uses; Type: TABLE DATA; Schema: public; Owner: -
--

COPY public.artifact_uses (tenant, thread, digest, name, media_type, used_at) FROM stdin;
T0LOCAL	T0LOCAL:C0OPS:1795345312.345023	468753b80b86d54e40f748596c5dc4f7743a391751c44f0cfd49964bf6f0cca5	third-attempt-1.json	application/json	2026-11-22 11:02:01.688689+00
T0LOCAL	T0LOCAL:C0OPS:1795345350.812644	b43cd50ad65377516046282b41d2d3e613024bf449d24d5a5b1ef5bd2427342b	count-attempt-1.json	application/json	2026-11-22 11:02:39.479149+00
\.


--
-- Data for Name: artifacts; Type: TABLE DATA; Schema: public; Owner: -
--

COPY public.artifacts (tenant, digest, content, created_at) FROM stdin;
T0LOCAL	468753b80b86d54e40f748596c5dc4f7743a391751c44f0cfd49964bf6f0cca5	\\x7b22616e7377657273223a5b5d2c2263616c6c73223a5b7b2261726773223a227b5c226368616e6e656c5c223a205c222367656e6572616c5c222c205c227468726561645f74735c223a205c22313739353334353331322e3330323632305c227d222c226d696c6c697365636f6e6473223a342e342c226f6b223a747275652c22746f6f6c223a22736c61636b5f726561645f6368616e6e656c227d2c7b2261726773223a227b5c226368616e6e656c5c223a205c222367656e6572616c5c222c205c227468726561645f74735c223a205c22313739353334353331322e3330333931395c227d222c226d696c6c697365636f6e6473223a332e372c226f6b223a747275652c22746f6f6c223a22736c61636b5f726561645f6368616e6e656c227d5d2c226c6f6773223a22227d	2026-11-22 11:02:01.688689+00
T0LOCAL	b43cd50ad65377516046282b41d2d3e613024bf449d24d5a5b1ef5bd2427342b	\\x7b22616e7377657273223a5b7b2263616c6c223a225b5c22736c61636b5f726561645f6368616e6e656c5c222c7b5c226368616e6e656c5c223a5c222367656e6572616c5c222c5c227468726561645f74735c223a5c22313739353334353331322e3331353130335c227d5d222c2276616c7565223a7b226368616e6e656c223a7b226964223a22433047454e4552414c222c226e616d65223a2267656e6572616c227d2c226d65737361676573223a5b7b226174223a22323032362d31312d32325431313a30313a35322b30303a3030222c22617574686f72223a7b226964223a225530414441222c226e616d65223a22416461204c6f76656c616365227d2c2274657874223a22636f756e746564222c227473223a22313739353334353331322e333135313033227d5d2c227472756e6361746564223a66616c73657d7d5d2c2263616c6c73223a5b7b2261726773223a227b5c226368616e6e656c5c223a205c222367656e6572616c5c222c205c227468726561645f74735c223a205c22313739353334353331322e3331353130335c227d222c226d696c6c697365636f6e6473223a372e352c226f6b223a747275652c22746f6f6c223a22736c61636b5f726561645f6368616e6e656c227d5d2c226c6f6773223a22227d	2026-11-22 11:02:39.479149+00
\.


--
-- Data for Name: attempts; Type: TABLE DATA; Schema: public; Owner: -
--

COPY public.attempts (tenant, thread, node, attempt, kind, code, error, traceback, milliseconds, at, of, record) FROM stdin;
T0LOCAL	T0LOCAL:C0OPS:1795345312.345023	third	1	ok	# Packed: second -> third\ndef main(inputs):\n    second = tools.slack_read_channel(channel='#general', thread_ts='1795345312.302620')\n    return tools.slack_read_channel(channel='#general', thread_ts='1795345312.303919')\n			22.887	2026-11-22 11:02:01.66179+00	fb0f74bdee51718b991deb80611c13eda9e40674b019dcbcb73f713083a3d961	468753b80b86d54e40f748596c5dc4f7743a391751c44f0cfd49964bf6f0cca5
T0LOCAL	T0LOCAL:C0OPS:1795345324.081574	find	1	ok	def main(inputs):\n    hosts = [{'name': name, 'down': name != 'b'} for name in ['a', 'b', 'c']]\n    return {'hosts': hosts}\n			13.219	2026-11-22 11:02:04.296814+00	8ca2b18f2127aa4a6c359b0d2a2550140f37f6e76a8cf38eee862a04e6f21be2	\N
T0LOCAL	T0LOCAL:C0OPS:1795345350.812644	count	1	error	def main(inputs):\n    page = tools.slack_read_channel(channel=inputs["channel"], thread_ts=inputs["ts"])\n    return {"counted": len(page["messages"]), "of": page["kinds"]}\n	KeyError: 'kinds'	Traceback (most recent call last):\n  File "script.py", line 3, in main\n    return {"counted": len(page["messages"]), "of": page["kinds"]}\nKeyError: 'kinds'	22.986	2026-11-22 11:02:39.478763+00	179f7cd1ede8ff8593bca2c548f40031007f98ebc19123e44b9a5776b6043df2	b43cd50ad65377516046282b41d2d3e613024bf449d24d5a5b1ef5bd2427342b
\.


--
-- Data for Name: audit; Type: TABLE DATA; Schema: public; Owner: -
--

COPY public.audit (tenant, id, at, thread, node, event, by, digest, details) FROM stdin;
T0LOCAL	1	2026-11-22 11:02:01.682831+00	T0LOCAL:C0OPS:1795345312.345023	tell	asked	U0ADA	627d3e34fd177173d32d6248b79c68a40c67149c7ddc75861b2724a70607a677	{"question":"f19414aceb46c0009c601c7df94ca327","kind":"approve","tool":"slack_post_message"}
T0LOCAL	2	2026-11-22 11:02:01.716838+00	T0LOCAL:C0OPS:1795345312.345023	third	called	\N	ae69f07c31e1aec7f9d0447d4470e13ce7e7ed819e9b85f5bcd56205eb5514e9	{"attempt":1,"kind":"ok","calls":[{"tool":"slack_read_channel","ok":true},{"tool":"slack_read_channel","ok":true}]}
T0LOCAL	3	2026-11-22 11:02:02.323738+00	T0LOCAL:C0OPS:1795345321.836016		asked	U0ADA	674d4761a590807b70dc2280da406da74f00319de82b3fdc528c4974d024b0b3	{"question":"73f63b8ea5874d40f94e501dc2d86321","kind":"rounds","tool":"reflection"}
T0LOCAL	4	2026-11-22 11:02:02.663951+00	T0LOCAL:C0OPS:1795345322.475037		asked	U0ADA	e8634b5f23f3e4a8386db858ce22322899fe6be1ca998085807a96b3e46c2ce6	{"question":"e0c088067f44c8d2766bf56c040b9364","kind":"ask","tool":"reflection"}
T0LOCAL	5	2026-11-22 11:02:04.339563+00	T0LOCAL:C0OPS:1795345324.081574	tell-0	asked	U0ADA	dd9bb4212f94382d2eedf9c9feac5c3489d4e01493a015b976f49b52a3026ab2	{"question":"5333270464150ecac34931fd0c2ac20b","kind":"approve","tool":"slack_post_message"}
T0LOCAL	6	2026-11-22 11:02:04.342233+00	T0LOCAL:C0OPS:1795345324.081574	tell-2	asked	U0ADA	08dd4bc61eded2d0eedc8d2d260714f0f17871e44ecfd39464dad988f2f938e5	{"question":"47f0d42fd3a72779f78aba8ece17b1f4","kind":"approve","tool":"slack_post_message"}
T0LOCAL	7	2026-11-22 11:02:07.303641+00	T0LOCAL:C0OPS:1795345324.081574	tell-0	decided	U0GRACE	dd9bb4212f94382d2eedf9c9feac5c3489d4e01493a015b976f49b52a3026ab2	{"question":"5333270464150ecac34931fd0c2ac20b","decision":"approved"}
T0LOCAL	8	2026-11-22 11:02:07.388637+00	T0LOCAL:C0OPS:1795345324.081574	tell-0	started	\N	dd9bb4212f94382d2eedf9c9feac5c3489d4e01493a015b976f49b52a3026ab2	{"attempt":1}
T0LOCAL	9	2026-11-22 11:02:07.402085+00	T0LOCAL:C0OPS:1795345324.081574	tell-0	finished	\N	dd9bb4212f94382d2eedf9c9feac5c3489d4e01493a015b976f49b52a3026ab2	{"attempt":1,"state":"succeeded"}
T0LOCAL	10	2026-11-22 11:02:07.691346+00	T0LOCAL:C0OPS:1795345327.528241	tell	asked	U0ADA	61841264d1c2a7e11f0135367a1fdb3a0e674903ae3bcccf3c9eac427acfeccf	{"question":"262e1ac2348a96ab052f4ee0adc1a5d1","kind":"approve","tool":"slack_post_message"}
T0LOCAL	11	2026-11-22 11:02:09.439721+00	T0LOCAL:C0OPS:1795345327.528241	tell	decided	U0GRACE	61841264d1c2a7e11f0135367a1fdb3a0e674903ae3bcccf3c9eac427acfeccf	{"question":"262e1ac2348a96ab052f4ee0adc1a5d1","decision":"approved"}
T0LOCAL	12	2026-11-22 11:02:09.486123+00	T0LOCAL:C0OPS:1795345327.528241	tell	started	\N	61841264d1c2a7e11f0135367a1fdb3a0e674903ae3bcccf3c9eac427acfeccf	{"attempt":1}
T0LOCAL	13	2026-11-22 11:02:18.546299+00	T0LOCAL:C0OPS:1795345327.528241	tell	asked	U0ADA	61841264d1c2a7e11f0135367a1fdb3a0e674903ae3bcccf3c9eac427acfeccf	{"question":"1ee1a230703c4a19052f4ee0adc1a5d1","kind":"unknown","tool":"slack_post_message"}
T0LOCAL	14	2026-11-22 11:02:29.485755+00	T0LOCAL:C0OPS:1795345340.073854		asked	U0ADA	1179feb9d60152c993a68971e9d0423d3bfe00788ec9d31019514ded52138685	{"question":"e3409c44f15660bb66d9995c6864cf72","kind":"budget","tool":"budget"}
T0LOCAL	15	2026-11-22 11:02:39.489256+00	T0LOCAL:C0OPS:1795345350.812644	count	called	\N	c1813e0008349e9b8c4757af2e3e673e962b141c31baafcc3f1868f6f6c87dc7	{"attempt":1,"kind":"error","calls":[{"tool":"slack_read_channel","ok":true}]}
\.


--
-- Data for Name: checkpoint_blobs; Type: TABLE DATA; Schema: public; Owner: -
--

COPY public.checkpoint_blobs (thread_id, checkpoint_ns, channel, version, type, blob) FROM stdin;
T0LOCAL:C0OPS:1795345312.345023		__start__	00000000000000000000000000000001.0.2849557444350581	msgpack	\\x82a47475726e01a6726f756e647300
T0LOCAL:C0OPS:1795345321.836016		__start__	00000000000000000000000000000001.0.6478341755313585	msgpack	\\x82a47475726e01a6726f756e647300
T0LOCAL:C0OPS:1795345321.836016		results	00000000000000000000000000000003.0.2765693563595326	msgpack	\\x81a56c6f6f6b3082a57374617465a9737563636565646564a576616c756583a76368616e6e656c82a26964a9433047454e4552414ca46e616d65a767656e6572616ca86d657373616765739184a27473b1313739353334353331322e333037383430a26174b9323032362d31312d32325431313a30313a35322b30303a3030a6617574686f7282a26964a55530414441a46e616d65ac416461204c6f76656c616365a474657874a7726f756e642d30a97472756e6361746564c2
T0LOCAL:C0OPS:1795345321.836016		results	00000000000000000000000000000005.0.062304127911418705	msgpack	\\x82a56c6f6f6b3082a57374617465a9737563636565646564a576616c756583a76368616e6e656c82a26964a9433047454e4552414ca46e616d65a767656e6572616ca86d657373616765739184a27473b1313739353334353331322e333037383430a26174b9323032362d31312d32325431313a30313a35322b30303a3030a6617574686f7282a26964a55530414441a46e616d65ac416461204c6f76656c616365a474657874a7726f756e642d30a97472756e6361746564c2a56c6f6f6b3182a57374617465a9737563636565646564a576616c756583a76368616e6e656c82a26964a9433047454e4552414ca46e616d65a767656e6572616ca86d657373616765739184a27473b1313739353334353331322e333039303035a26174b9323032362d31312d32325431313a30313a35322b30303a3030a6617574686f7282a26964a55530414441a46e616d65ac416461204c6f76656c616365a474657874a7726f756e642d31a97472756e6361746564c2
T0LOCAL:C0OPS:1795345321.836016		results	00000000000000000000000000000007.0.5243274776812984	msgpack	\\x83a56c6f6f6b3082a57374617465a9737563636565646564a576616c756583a76368616e6e656c82a26964a9433047454e4552414ca46e616d65a767656e6572616ca86d657373616765739184a27473b1313739353334353331322e333037383430a26174b9323032362d31312d32325431313a30313a35322b30303a3030a6617574686f7282a26964a55530414441a46e616d65ac416461204c6f76656c616365a474657874a7726f756e642d30a97472756e6361746564c2a56c6f6f6b3182a57374617465a9737563636565646564a576616c756583a76368616e6e656c82a26964a9433047454e4552414ca46e616d65a767656e6572616ca86d657373616765739184a27473b1313739353334353331322e333039303035a26174b9323032362d31312d32325431313a30313a35322b30303a3030a6617574686f7282a26964a55530414441a46e616d65ac416461204c6f76656c616365a474657874a7726f756e642d31a97472756e6361746564c2a56c6f6f6b3282a57374617465a9737563636565646564a576616c756583a76368616e6e656c82a26964a9433047454e4552414ca46e616d65a767656e6572616ca86d657373616765739184a27473b1313739353334353331322e333039353137a26174b9323032362d31312d32325431313a30313a35322b30303a3030a6617574686f7282a26964a55530414441a46e616d65ac416461204c6f76656c616365a474657874a7726f756e642d32a97472756e6361746564c2
T0LOCAL:C0OPS:1795345321.836016		results	00000000000000000000000000000009.0.800365847666904	msgpack	\\x84a56c6f6f6b3082a57374617465a9737563636565646564a576616c756583a76368616e6e656c82a26964a9433047454e4552414ca46e616d65a767656e6572616ca86d657373616765739184a27473b1313739353334353331322e333037383430a26174b9323032362d31312d32325431313a30313a35322b30303a3030a6617574686f7282a26964a55530414441a46e616d65ac416461204c6f76656c616365a474657874a7726f756e642d30a97472756e6361746564c2a56c6f6f6b3182a57374617465a9737563636565646564a576616c756583a76368616e6e656c82a26964a9433047454e4552414ca46e616d65a767656e6572616ca86d657373616765739184a27473b1313739353334353331322e333039303035a26174b9323032362d31312d32325431313a30313a35322b30303a3030a6617574686f7282a26964a55530414441a46e616d65ac416461204c6f76656c616365a474657874a7726f756e642d31a97472756e6361746564c2a56c6f6f6b3282a57374617465a9737563636565646564a576616c756583a76368616e6e656c82a26964a9433047454e4552414ca46e616d65a767656e6572616ca86d657373616765739184a27473b1313739353334353331322e333039353137a26174b9323032362d31312d32325431313a30313a35322b30303a3030a6617574686f7282a26964a55530414441a46e616d65ac416461204c6f76656c616365a474657874a7726f756e642d32a97472756e6361746564c2a56c6f6f6b3382a57374617465a9737563636565646564a576616c756583a76368616e6e656c82a26964a9433047454e4552414ca46e616d65a767656e6572616ca86d657373616765739184a27473b1313739353334353331322e333130313934a26174b9323032362d31312d32325431313a30313a35322b30303a3030a6617574686f7282a26964a55530414441a46e616d65ac416461204c6f76656c616365a474657874a7726f756e642d33a97472756e6361746564c2
T0LOCAL:C0OPS:1795345322.475037		__start__	00000000000000000000000000000001.0.7083264982146383	msgpack	\\x82a47475726e01a6726f756e647300
T0LOCAL:C0OPS:1795345322.475037		results	00000000000000000000000000000003.0.8358862029955216	msgpack	\\x81a46c6f6f6b82a57374617465a9737563636565646564a576616c756583a76368616e6e656c82a26964a9433047454e4552414ca46e616d65a767656e6572616ca86d657373616765739184a27473b1313739353334353331322e333131353437a26174b9323032362d31312d32325431313a30313a35322b30303a3030a6617574686f7282a26964a55530414441a46e616d65ac416461204c6f76656c616365a474657874a561736b6564a97472756e6361746564c2
T0LOCAL:C0OPS:1795345324.081574		__start__	00000000000000000000000000000001.0.8607845217550936	msgpack	\\x82a47475726e01a6726f756e647300
T0LOCAL:C0OPS:1795345327.528241		__start__	00000000000000000000000000000001.0.8527495160122874	msgpack	\\x82a47475726e01a6726f756e647300
T0LOCAL:C0OPS:1795345340.073854		__start__	00000000000000000000000000000001.0.8740496300949158	msgpack	\\x82a47475726e01a6726f756e647300
T0LOCAL:C0OPS:1795345350.812644		__start__	00000000000000000000000000000001.0.40889880345402196	msgpack	\\x82a47475726e01a6726f756e647300
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
T0LOCAL:C0OPS:1795345312.345023		1f1e6642-49c3-64ab-bfff-0347e5692782	432b3bb2-86df-7211-e07a-9e636e7e061f	0	turn	msgpack	\\x01	~__pregel_pull, __start__
T0LOCAL:C0OPS:1795345312.345023		1f1e6642-49c3-64ab-bfff-0347e5692782	432b3bb2-86df-7211-e07a-9e636e7e061f	1	rounds	msgpack	\\x00	~__pregel_pull, __start__
T0LOCAL:C0OPS:1795345312.345023		1f1e6642-49c3-64ab-bfff-0347e5692782	432b3bb2-86df-7211-e07a-9e636e7e061f	2	branch:to:execute	null	\\x	~__pregel_pull, __start__
T0LOCAL:C0OPS:1795345312.345023		1f1e6642-49c7-634e-8000-2d08e7cd73cb	d7a53858-b845-ea6f-b5a9-29846c3c6bba	0	__return__	msgpack	\\x82a57374617465a9737563636565646564a576616c756583a76368616e6e656c82a26964a9433047454e4552414ca46e616d65a767656e6572616ca86d657373616765739184a27473b1313739353334353331322e333030363837a26174b9323032362d31312d32325431313a30313a35322b30303a3030a6617574686f7282a26964a55530414441a46e616d65ac416461204c6f76656c616365a474657874a56669727374a97472756e6361746564c2	~__pregel_push, ~__pregel_pull, execute, 0000000000, 0000000001
T0LOCAL:C0OPS:1795345312.345023		1f1e6642-49c7-634e-8000-2d08e7cd73cb	0227066b-8ca7-7bdc-f4df-703ee4140cc3	0	__return__	msgpack	\\x82a57374617465a9737563636565646564a576616c756583a76368616e6e656c82a26964a9433047454e4552414ca46e616d65a767656e6572616ca86d657373616765739184a27473b1313739353334353331322e333033393139a26174b9323032362d31312d32325431313a30313a35322b30303a3030a6617574686f7282a26964a55530414441a46e616d65ac416461204c6f76656c616365a474657874a57468697264a97472756e6361746564c2	~__pregel_push, ~__pregel_pull, execute, 0000000001, 0000000001
T0LOCAL:C0OPS:1795345312.345023		1f1e6642-49c7-634e-8000-2d08e7cd73cb	94bd8c30-b7eb-ae34-0ae1-c20210d788b5	-3	__interrupt__	msgpack	\\x91c7af0293af6c616e6767726170682e7479706573a9496e7465727275707483a576616c756584a87175657374696f6ed9206631393431346163656234366330303039633630316337646639346361333237a46e6f6465a474656c6ca46b696e64a7617070726f7665a57469746c65ad5469746c65206f662074656c6ca26964d9206631393431346163656234366330303039633630316337646639346361333237af726573706f6e73655f736368656d61c0	~__pregel_push, ~__pregel_pull, execute, 0000000002, 0000000001
T0LOCAL:C0OPS:1795345312.345023		1f1e6642-49c7-634e-8000-2d08e7cd73cb	416d12dc-a301-b5a0-1931-8f7f8481f786	-3	__interrupt__	msgpack	\\x91c7af0293af6c616e6767726170682e7479706573a9496e7465727275707483a576616c756584a87175657374696f6ed9206631393431346163656234366330303039633630316337646639346361333237a46e6f6465a474656c6ca46b696e64a7617070726f7665a57469746c65ad5469746c65206f662074656c6ca26964d9206631393431346163656234366330303039633630316337646639346361333237af726573706f6e73655f736368656d61c0	~__pregel_pull, execute
T0LOCAL:C0OPS:1795345321.836016		1f1e6642-51b1-61be-bfff-4db1bb313679	68fdc85d-141c-6c3e-4f8c-35a6122bcb53	0	turn	msgpack	\\x01	~__pregel_pull, __start__
T0LOCAL:C0OPS:1795345321.836016		1f1e6642-51b1-61be-bfff-4db1bb313679	68fdc85d-141c-6c3e-4f8c-35a6122bcb53	1	rounds	msgpack	\\x00	~__pregel_pull, __start__
T0LOCAL:C0OPS:1795345321.836016		1f1e6642-51b1-61be-bfff-4db1bb313679	68fdc85d-141c-6c3e-4f8c-35a6122bcb53	2	branch:to:execute	null	\\x	~__pregel_pull, __start__
T0LOCAL:C0OPS:1795345321.836016		1f1e6642-51b2-6f5a-8000-2f4fc97658ad	1cb6319f-f129-f48a-3143-53fe2d0950c4	0	__return__	msgpack	\\x82a57374617465a9737563636565646564a576616c756583a76368616e6e656c82a26964a9433047454e4552414ca46e616d65a767656e6572616ca86d657373616765739184a27473b1313739353334353331322e333037383430a26174b9323032362d31312d32325431313a30313a35322b30303a3030a6617574686f7282a26964a55530414441a46e616d65ac416461204c6f76656c616365a474657874a7726f756e642d30a97472756e6361746564c2	~__pregel_push, ~__pregel_pull, execute, 0000000000, 0000000001
T0LOCAL:C0OPS:1795345321.836016		1f1e6642-51b2-6f5a-8000-2f4fc97658ad	b03f73da-b158-2436-5a9f-0f72f922bd6e	0	results	msgpack	\\x81a56c6f6f6b3082a57374617465a9737563636565646564a576616c756583a76368616e6e656c82a26964a9433047454e4552414ca46e616d65a767656e6572616ca86d657373616765739184a27473b1313739353334353331322e333037383430a26174b9323032362d31312d32325431313a30313a35322b30303a3030a6617574686f7282a26964a55530414441a46e616d65ac416461204c6f76656c616365a474657874a7726f756e642d30a97472756e6361746564c2	~__pregel_pull, execute
T0LOCAL:C0OPS:1795345321.836016		1f1e6642-51b2-6f5a-8000-2f4fc97658ad	b03f73da-b158-2436-5a9f-0f72f922bd6e	1	seq	msgpack	\\x01	~__pregel_pull, execute
T0LOCAL:C0OPS:1795345321.836016		1f1e6642-51b2-6f5a-8000-2f4fc97658ad	b03f73da-b158-2436-5a9f-0f72f922bd6e	2	branch:to:reflect	null	\\x	~__pregel_pull, execute
T0LOCAL:C0OPS:1795345321.836016		1f1e6642-52c9-65c0-8001-999303fce997	c82dbd9f-ce98-2e09-7703-5e1c62dfc08f	0	rounds	msgpack	\\x01	~__pregel_pull, reflect
T0LOCAL:C0OPS:1795345321.836016		1f1e6642-52c9-65c0-8001-999303fce997	c82dbd9f-ce98-2e09-7703-5e1c62dfc08f	1	branch:to:execute	null	\\x	~__pregel_pull, reflect
T0LOCAL:C0OPS:1795345321.836016		1f1e6642-533f-61d3-8002-48806b68aabc	6b528835-d140-ced0-9f3e-68dd36669901	0	__return__	msgpack	\\x82a57374617465a9737563636565646564a576616c756583a76368616e6e656c82a26964a9433047454e4552414ca46e616d65a767656e6572616ca86d657373616765739184a27473b1313739353334353331322e333039303035a26174b9323032362d31312d32325431313a30313a35322b30303a3030a6617574686f7282a26964a55530414441a46e616d65ac416461204c6f76656c616365a474657874a7726f756e642d31a97472756e6361746564c2	~__pregel_push, ~__pregel_pull, execute, 0000000000, 0000000001
T0LOCAL:C0OPS:1795345321.836016		1f1e6642-533f-61d3-8002-48806b68aabc	9fcbcf99-c20c-da42-5763-1c5b27e587fa	0	results	msgpack	\\x81a56c6f6f6b3182a57374617465a9737563636565646564a576616c756583a76368616e6e656c82a26964a9433047454e4552414ca46e616d65a767656e6572616ca86d657373616765739184a27473b1313739353334353331322e333039303035a26174b9323032362d31312d32325431313a30313a35322b30303a3030a6617574686f7282a26964a55530414441a46e616d65ac416461204c6f76656c616365a474657874a7726f756e642d31a97472756e6361746564c2	~__pregel_pull, execute
T0LOCAL:C0OPS:1795345321.836016		1f1e6642-533f-61d3-8002-48806b68aabc	9fcbcf99-c20c-da42-5763-1c5b27e587fa	1	seq	msgpack	\\x02	~__pregel_pull, execute
T0LOCAL:C0OPS:1795345321.836016		1f1e6642-533f-61d3-8002-48806b68aabc	9fcbcf99-c20c-da42-5763-1c5b27e587fa	2	branch:to:reflect	null	\\x	~__pregel_pull, execute
T0LOCAL:C0OPS:1795345321.836016		1f1e6642-5392-6e70-8003-7fe7ac40d489	3fe057d4-de63-b1e0-cdf4-35bf0f14a19a	0	rounds	msgpack	\\x02	~__pregel_pull, reflect
T0LOCAL:C0OPS:1795345321.836016		1f1e6642-5392-6e70-8003-7fe7ac40d489	3fe057d4-de63-b1e0-cdf4-35bf0f14a19a	1	branch:to:execute	null	\\x	~__pregel_pull, reflect
T0LOCAL:C0OPS:1795345321.836016		1f1e6642-5413-6a19-8004-6d2fef86b6ed	0e29d7c8-f594-b370-8a3f-c6853156532f	0	__return__	msgpack	\\x82a57374617465a9737563636565646564a576616c756583a76368616e6e656c82a26964a9433047454e4552414ca46e616d65a767656e6572616ca86d657373616765739184a27473b1313739353334353331322e333039353137a26174b9323032362d31312d32325431313a30313a35322b30303a3030a6617574686f7282a26964a55530414441a46e616d65ac416461204c6f76656c616365a474657874a7726f756e642d32a97472756e6361746564c2	~__pregel_push, ~__pregel_pull, execute, 0000000000, 0000000001
T0LOCAL:C0OPS:1795345321.836016		1f1e6642-5413-6a19-8004-6d2fef86b6ed	ba90ae61-7e29-610e-30a2-0a761f154ef4	0	results	msgpack	\\x81a56c6f6f6b3282a57374617465a9737563636565646564a576616c756583a76368616e6e656c82a26964a9433047454e4552414ca46e616d65a767656e6572616ca86d657373616765739184a27473b1313739353334353331322e333039353137a26174b9323032362d31312d32325431313a30313a35322b30303a3030a6617574686f7282a26964a55530414441a46e616d65ac416461204c6f76656c616365a474657874a7726f756e642d32a97472756e6361746564c2	~__pregel_pull, execute
T0LOCAL:C0OPS:1795345321.836016		1f1e6642-5413-6a19-8004-6d2fef86b6ed	ba90ae61-7e29-610e-30a2-0a761f154ef4	1	seq	msgpack	\\x03	~__pregel_pull, execute
T0LOCAL:C0OPS:1795345321.836016		1f1e6642-5413-6a19-8004-6d2fef86b6ed	ba90ae61-7e29-610e-30a2-0a761f154ef4	2	branch:to:reflect	null	\\x	~__pregel_pull, execute
T0LOCAL:C0OPS:1795345321.836016		1f1e6642-545a-678d-8005-4ee41e1ba92e	70eeb31b-58bf-70ba-4c2a-6db0582fc027	0	rounds	msgpack	\\x03	~__pregel_pull, reflect
T0LOCAL:C0OPS:1795345321.836016		1f1e6642-545a-678d-8005-4ee41e1ba92e	70eeb31b-58bf-70ba-4c2a-6db0582fc027	1	branch:to:execute	null	\\x	~__pregel_pull, reflect
T0LOCAL:C0OPS:1795345321.836016		1f1e6642-54ef-63ac-8006-03ccccd1c514	245575b9-291c-a9a3-51af-0de7fb290162	0	__return__	msgpack	\\x82a57374617465a9737563636565646564a576616c756583a76368616e6e656c82a26964a9433047454e4552414ca46e616d65a767656e6572616ca86d657373616765739184a27473b1313739353334353331322e333130313934a26174b9323032362d31312d32325431313a30313a35322b30303a3030a6617574686f7282a26964a55530414441a46e616d65ac416461204c6f76656c616365a474657874a7726f756e642d33a97472756e6361746564c2	~__pregel_push, ~__pregel_pull, execute, 0000000000, 0000000001
T0LOCAL:C0OPS:1795345321.836016		1f1e6642-54ef-63ac-8006-03ccccd1c514	e1b666a1-7d18-9d93-20de-42dbf2223229	0	results	msgpack	\\x81a56c6f6f6b3382a57374617465a9737563636565646564a576616c756583a76368616e6e656c82a26964a9433047454e4552414ca46e616d65a767656e6572616ca86d657373616765739184a27473b1313739353334353331322e333130313934a26174b9323032362d31312d32325431313a30313a35322b30303a3030a6617574686f7282a26964a55530414441a46e616d65ac416461204c6f76656c616365a474657874a7726f756e642d33a97472756e6361746564c2	~__pregel_pull, execute
T0LOCAL:C0OPS:1795345321.836016		1f1e6642-54ef-63ac-8006-03ccccd1c514	e1b666a1-7d18-9d93-20de-42dbf2223229	1	seq	msgpack	\\x04	~__pregel_pull, execute
T0LOCAL:C0OPS:1795345321.836016		1f1e6642-54ef-63ac-8006-03ccccd1c514	e1b666a1-7d18-9d93-20de-42dbf2223229	2	branch:to:reflect	null	\\x	~__pregel_pull, execute
T0LOCAL:C0OPS:1795345321.836016		1f1e6642-5539-623b-8007-e0ac1f907a7c	073f4b2f-ebf1-fa10-73a7-ca876abd28a7	-3	__interrupt__	msgpack	\\x91c78a0293af6c616e6767726170682e7479706573a9496e7465727275707483a576616c756582a87175657374696f6ed9203733663633623865613538373464343066393465353031646332643836333231a46e6f6465a0a26964d9203733663633623865613538373464343066393465353031646332643836333231af726573706f6e73655f736368656d61c0	~__pregel_pull, reflect
T0LOCAL:C0OPS:1795345322.475037		1f1e6642-57aa-6458-bfff-678e8f1ee252	9fe4ce74-08c0-7521-25db-a1dde7c47a4b	0	turn	msgpack	\\x01	~__pregel_pull, __start__
T0LOCAL:C0OPS:1795345322.475037		1f1e6642-57aa-6458-bfff-678e8f1ee252	9fe4ce74-08c0-7521-25db-a1dde7c47a4b	1	rounds	msgpack	\\x00	~__pregel_pull, __start__
T0LOCAL:C0OPS:1795345322.475037		1f1e6642-57aa-6458-bfff-678e8f1ee252	9fe4ce74-08c0-7521-25db-a1dde7c47a4b	2	branch:to:execute	null	\\x	~__pregel_pull, __start__
T0LOCAL:C0OPS:1795345322.475037		1f1e6642-57ab-6d03-8000-09de29b8c49c	f179ee55-6dba-d647-bdc6-f0aa89e3101a	0	__return__	msgpack	\\x82a57374617465a9737563636565646564a576616c756583a76368616e6e656c82a26964a9433047454e4552414ca46e616d65a767656e6572616ca86d657373616765739184a27473b1313739353334353331322e333131353437a26174b9323032362d31312d32325431313a30313a35322b30303a3030a6617574686f7282a26964a55530414441a46e616d65ac416461204c6f76656c616365a474657874a561736b6564a97472756e6361746564c2	~__pregel_push, ~__pregel_pull, execute, 0000000000, 0000000001
T0LOCAL:C0OPS:1795345322.475037		1f1e6642-57ab-6d03-8000-09de29b8c49c	a3f3ee96-65e2-8571-410e-b49e84ddaee7	0	results	msgpack	\\x81a46c6f6f6b82a57374617465a9737563636565646564a576616c756583a76368616e6e656c82a26964a9433047454e4552414ca46e616d65a767656e6572616ca86d657373616765739184a27473b1313739353334353331322e333131353437a26174b9323032362d31312d32325431313a30313a35322b30303a3030a6617574686f7282a26964a55530414441a46e616d65ac416461204c6f76656c616365a474657874a561736b6564a97472756e6361746564c2	~__pregel_pull, execute
T0LOCAL:C0OPS:1795345322.475037		1f1e6642-57ab-6d03-8000-09de29b8c49c	a3f3ee96-65e2-8571-410e-b49e84ddaee7	1	seq	msgpack	\\x01	~__pregel_pull, execute
T0LOCAL:C0OPS:1795345322.475037		1f1e6642-57ab-6d03-8000-09de29b8c49c	a3f3ee96-65e2-8571-410e-b49e84ddaee7	2	branch:to:reflect	null	\\x	~__pregel_pull, execute
T0LOCAL:C0OPS:1795345322.475037		1f1e6642-58bb-6298-8001-1c441348d022	8804717f-deb5-e0dc-03cc-24acdba563d6	-3	__interrupt__	msgpack	\\x91c78a0293af6c616e6767726170682e7479706573a9496e7465727275707483a576616c756582a87175657374696f6ed9206530633038383036376634346338643237363662663536633034306239333634a46e6f6465a0a26964d9206530633038383036376634346338643237363662663536633034306239333634af726573706f6e73655f736368656d61c0	~__pregel_pull, reflect
T0LOCAL:C0OPS:1795345324.081574		1f1e6642-671c-6e30-bfff-33f4f29690df	5cabd34f-6d59-875e-f608-c555e64ed3c8	0	turn	msgpack	\\x01	~__pregel_pull, __start__
T0LOCAL:C0OPS:1795345324.081574		1f1e6642-671c-6e30-bfff-33f4f29690df	5cabd34f-6d59-875e-f608-c555e64ed3c8	1	rounds	msgpack	\\x00	~__pregel_pull, __start__
T0LOCAL:C0OPS:1795345324.081574		1f1e6642-671c-6e30-bfff-33f4f29690df	5cabd34f-6d59-875e-f608-c555e64ed3c8	2	branch:to:execute	null	\\x	~__pregel_pull, __start__
T0LOCAL:C0OPS:1795345324.081574		1f1e6642-671e-63e0-8000-903deb7e3d32	f2e558de-377e-40cf-5209-724444adb9d0	0	__return__	msgpack	\\x82a57374617465a9737563636565646564a576616c756581a5686f7374739382a46e616d65a161a4646f776ec382a46e616d65a162a4646f776ec282a46e616d65a163a4646f776ec3	~__pregel_push, ~__pregel_pull, execute, 0000000000, 0000000001
T0LOCAL:C0OPS:1795345324.081574		1f1e6642-671e-63e0-8000-903deb7e3d32	524d4594-6c1c-703f-e620-2de26bc271f6	0	__return__	msgpack	\\x83a57374617465a7736b6970706564a762656361757365a466696e64a3776879b969747320636f6e646974696f6e20776173206e6f74206d6574	~__pregel_push, ~__pregel_pull, execute, 0000000004, 0000000001
T0LOCAL:C0OPS:1795345324.081574		1f1e6642-671e-63e0-8000-903deb7e3d32	686c42a4-45f9-09ad-bd50-ead36ab5b9b7	-3	__interrupt__	msgpack	\\x91c7ba0293af6c616e6767726170682e7479706573a9496e7465727275707483a576616c756584a87175657374696f6ed9203533333332373034363431353065636163333439333166643063326163323062a46e6f6465a674656c6c2d30a46b696e64a7617070726f7665a57469746c65b65469746c65206f662074656c6c202831206f66203329a26964d9203533333332373034363431353065636163333439333166643063326163323062af726573706f6e73655f736368656d61c0	~__pregel_push, ~__pregel_pull, execute, 0000000003, 0000000001
T0LOCAL:C0OPS:1795345324.081574		1f1e6642-671e-63e0-8000-903deb7e3d32	686c42a4-45f9-09ad-bd50-ead36ab5b9b7	0	__return__	msgpack	\\x82a57374617465a9737563636565646564a576616c756582a76368616e6e656cab4330494e434944454e5453a27473b1313739353334353332372e333934343032	~__pregel_push, ~__pregel_pull, execute, 0000000003, 0000000001
T0LOCAL:C0OPS:1795345324.081574		1f1e6642-671e-63e0-8000-903deb7e3d32	79917c50-f400-3b8b-32e3-f2e410802df1	-3	__interrupt__	msgpack	\\x91c7ba0293af6c616e6767726170682e7479706573a9496e7465727275707483a576616c756584a87175657374696f6ed9203437663064343266643361373237373966373861626138656365313762316634a46e6f6465a674656c6c2d32a46b696e64a7617070726f7665a57469746c65b65469746c65206f662074656c6c202833206f66203329a26964d9203437663064343266643361373237373966373861626138656365313762316634af726573706f6e73655f736368656d61c0	~__pregel_push, ~__pregel_pull, execute, 0000000005, 0000000001
T0LOCAL:C0OPS:1795345324.081574		1f1e6642-671e-63e0-8000-903deb7e3d32	be07a1e5-504f-b076-7069-a547305547fd	-3	__interrupt__	msgpack	\\x91c7ba0293af6c616e6767726170682e7479706573a9496e7465727275707483a576616c756584a87175657374696f6ed9203437663064343266643361373237373966373861626138656365313762316634a46e6f6465a674656c6c2d32a46b696e64a7617070726f7665a57469746c65b65469746c65206f662074656c6c202833206f66203329a26964d9203437663064343266643361373237373966373861626138656365313762316634af726573706f6e73655f736368656d61c0	~__pregel_pull, execute
T0LOCAL:C0OPS:1795345327.528241		1f1e6642-87c4-649f-bfff-42b2254d1995	52665f9a-6381-76a6-33cb-163b655373f4	0	turn	msgpack	\\x01	~__pregel_pull, __start__
T0LOCAL:C0OPS:1795345327.528241		1f1e6642-87c4-649f-bfff-42b2254d1995	52665f9a-6381-76a6-33cb-163b655373f4	1	rounds	msgpack	\\x00	~__pregel_pull, __start__
T0LOCAL:C0OPS:1795345327.528241		1f1e6642-87c4-649f-bfff-42b2254d1995	52665f9a-6381-76a6-33cb-163b655373f4	2	branch:to:execute	null	\\x	~__pregel_pull, __start__
T0LOCAL:C0OPS:1795345327.528241		1f1e6642-87c5-6d16-8000-8cf5a2f4c19f	0031578b-c399-73fb-9f32-f36547026c0e	0	__return__	msgpack	\\x82a57374617465a9737563636565646564a576616c756583a76368616e6e656c82a26964a9433047454e4552414ca46e616d65a767656e6572616ca86d657373616765739184a27473b1313739353334353331322e333036313831a26174b9323032362d31312d32325431313a30313a35322b30303a3030a6617574686f7282a26964a55530414441a46e616d65ac416461204c6f76656c616365a474657874ae6265666f72652d756e6b6e6f776ea97472756e6361746564c2	~__pregel_push, ~__pregel_pull, execute, 0000000000, 0000000001
T0LOCAL:C0OPS:1795345327.528241		1f1e6642-87c5-6d16-8000-8cf5a2f4c19f	bcd86ec8-7a4e-f4d0-680d-4b9195fde5ee	-3	__interrupt__	msgpack	\\x91c7af0293af6c616e6767726170682e7479706573a9496e7465727275707483a576616c756584a87175657374696f6ed9203165653161323330373033633461313930353266346565306164633161356431a46e6f6465a474656c6ca46b696e64a7756e6b6e6f776ea57469746c65ad5469746c65206f662074656c6ca26964d9203165653161323330373033633461313930353266346565306164633161356431af726573706f6e73655f736368656d61c0	~__pregel_push, ~__pregel_pull, execute, 0000000001, 0000000001
T0LOCAL:C0OPS:1795345327.528241		1f1e6642-87c5-6d16-8000-8cf5a2f4c19f	72f6f657-4e42-92da-ab19-7bcfcde96d76	-3	__interrupt__	msgpack	\\x91c7af0293af6c616e6767726170682e7479706573a9496e7465727275707483a576616c756584a87175657374696f6ed9203165653161323330373033633461313930353266346565306164633161356431a46e6f6465a474656c6ca46b696e64a7756e6b6e6f776ea57469746c65ad5469746c65206f662074656c6ca26964d9203165653161323330373033633461313930353266346565306164633161356431af726573706f6e73655f736368656d61c0	~__pregel_pull, execute
T0LOCAL:C0OPS:1795345340.073854		1f1e6643-5411-6418-bfff-375c8a19db5d	6d1a390c-ad47-3255-1925-2bdd075983ca	0	turn	msgpack	\\x01	~__pregel_pull, __start__
T0LOCAL:C0OPS:1795345340.073854		1f1e6643-5411-6418-bfff-375c8a19db5d	6d1a390c-ad47-3255-1925-2bdd075983ca	1	rounds	msgpack	\\x00	~__pregel_pull, __start__
T0LOCAL:C0OPS:1795345340.073854		1f1e6643-5411-6418-bfff-375c8a19db5d	6d1a390c-ad47-3255-1925-2bdd075983ca	2	branch:to:execute	null	\\x	~__pregel_pull, __start__
T0LOCAL:C0OPS:1795345340.073854		1f1e6643-5414-69d5-8000-39aa0310bcef	4933ada0-11da-e568-aabb-b9dd52671d60	0	__return__	msgpack	\\x82a57374617465a9737563636565646564a576616c756583a76368616e6e656c82a26964a9433047454e4552414ca46e616d65a767656e6572616ca86d657373616765739184a27473b1313739353334353331322e333133303339a26174b9323032362d31312d32325431313a30313a35322b30303a3030a6617574686f7282a26964a55530414441a46e616d65ac416461204c6f76656c616365a474657874a86275646765742d31a97472756e6361746564c2	~__pregel_push, ~__pregel_pull, execute, 0000000000, 0000000001
T0LOCAL:C0OPS:1795345340.073854		1f1e6643-5414-69d5-8000-39aa0310bcef	a14af15e-a934-d2d4-4ae6-1d9fd56dc4c5	-3	__interrupt__	msgpack	\\x91c79d0293af6c616e6767726170682e7479706573a9496e7465727275707483a576616c756584a87175657374696f6ed9206533343039633434663135363630626236366439393935633638363463663732a46e6f6465a0a46b696e64a6627564676574a57469746c65a0a26964d9206533343039633434663135363630626236366439393935633638363463663732af726573706f6e73655f736368656d61c0	~__pregel_pull, execute
T0LOCAL:C0OPS:1795345350.812644		1f1e6643-b3aa-618f-bfff-6cb96ee2d825	56f383b6-6dec-41ab-0b85-df245be91ae5	0	turn	msgpack	\\x01	~__pregel_pull, __start__
T0LOCAL:C0OPS:1795345350.812644		1f1e6643-b3aa-618f-bfff-6cb96ee2d825	56f383b6-6dec-41ab-0b85-df245be91ae5	1	rounds	msgpack	\\x00	~__pregel_pull, __start__
T0LOCAL:C0OPS:1795345350.812644		1f1e6643-b3aa-618f-bfff-6cb96ee2d825	56f383b6-6dec-41ab-0b85-df245be91ae5	2	branch:to:execute	null	\\x	~__pregel_pull, __start__
\.


--
-- Data for Name: checkpoints; Type: TABLE DATA; Schema: public; Owner: -
--

COPY public.checkpoints (thread_id, checkpoint_ns, checkpoint_id, parent_checkpoint_id, type, checkpoint, metadata) FROM stdin;
T0LOCAL:C0OPS:1795345312.345023		1f1e6642-49c3-64ab-bfff-0347e5692782	\N	\N	{"v": 4, "id": "1f1e6642-49c3-64ab-bfff-0347e5692782", "ts": "2026-11-22T11:02:01.053084+00:00", "versions_seen": {"__input__": {}}, "channel_values": {}, "channel_versions": {"__start__": "00000000000000000000000000000001.0.2849557444350581"}, "updated_channels": ["__start__"]}	{"step": -1, "source": "input", "parents": {}}
T0LOCAL:C0OPS:1795345312.345023		1f1e6642-49c7-634e-8000-2d08e7cd73cb	1f1e6642-49c3-64ab-bfff-0347e5692782	\N	{"v": 4, "id": "1f1e6642-49c7-634e-8000-2d08e7cd73cb", "ts": "2026-11-22T11:02:01.054689+00:00", "versions_seen": {"__input__": {}, "__start__": {"__start__": "00000000000000000000000000000001.0.2849557444350581"}}, "channel_values": {"turn": 1, "rounds": 0, "branch:to:execute": null}, "channel_versions": {"turn": "00000000000000000000000000000002.0.8226374131069992", "rounds": "00000000000000000000000000000002.0.8226374131069992", "__start__": "00000000000000000000000000000002.0.8226374131069992", "branch:to:execute": "00000000000000000000000000000002.0.8226374131069992"}, "updated_channels": ["branch:to:execute", "rounds", "turn"]}	{"step": 0, "source": "loop", "parents": {}}
T0LOCAL:C0OPS:1795345321.836016		1f1e6642-51b1-61be-bfff-4db1bb313679	\N	\N	{"v": 4, "id": "1f1e6642-51b1-61be-bfff-4db1bb313679", "ts": "2026-11-22T11:02:01.884494+00:00", "versions_seen": {"__input__": {}}, "channel_values": {}, "channel_versions": {"__start__": "00000000000000000000000000000001.0.6478341755313585"}, "updated_channels": ["__start__"]}	{"step": -1, "source": "input", "parents": {}}
T0LOCAL:C0OPS:1795345321.836016		1f1e6642-51b2-6f5a-8000-2f4fc97658ad	1f1e6642-51b1-61be-bfff-4db1bb313679	\N	{"v": 4, "id": "1f1e6642-51b2-6f5a-8000-2f4fc97658ad", "ts": "2026-11-22T11:02:01.885251+00:00", "versions_seen": {"__input__": {}, "__start__": {"__start__": "00000000000000000000000000000001.0.6478341755313585"}}, "channel_values": {"turn": 1, "rounds": 0, "branch:to:execute": null}, "channel_versions": {"turn": "00000000000000000000000000000002.0.984013406011899", "rounds": "00000000000000000000000000000002.0.984013406011899", "__start__": "00000000000000000000000000000002.0.984013406011899", "branch:to:execute": "00000000000000000000000000000002.0.984013406011899"}, "updated_channels": ["branch:to:execute", "rounds", "turn"]}	{"step": 0, "source": "loop", "parents": {}}
T0LOCAL:C0OPS:1795345321.836016		1f1e6642-52c9-65c0-8001-999303fce997	1f1e6642-51b2-6f5a-8000-2f4fc97658ad	\N	{"v": 4, "id": "1f1e6642-52c9-65c0-8001-999303fce997", "ts": "2026-11-22T11:02:01.999278+00:00", "versions_seen": {"execute": {"branch:to:execute": "00000000000000000000000000000002.0.984013406011899"}, "__input__": {}, "__start__": {"__start__": "00000000000000000000000000000001.0.6478341755313585"}, "look0@88111a8b77aa365e": {}}, "channel_values": {"seq": 1, "turn": 1, "rounds": 0, "branch:to:reflect": null}, "channel_versions": {"seq": "00000000000000000000000000000003.0.2765693563595326", "turn": "00000000000000000000000000000002.0.984013406011899", "rounds": "00000000000000000000000000000002.0.984013406011899", "results": "00000000000000000000000000000003.0.2765693563595326", "__start__": "00000000000000000000000000000002.0.984013406011899", "branch:to:execute": "00000000000000000000000000000003.0.2765693563595326", "branch:to:reflect": "00000000000000000000000000000003.0.2765693563595326"}, "updated_channels": ["branch:to:reflect", "results", "seq"]}	{"step": 1, "source": "loop", "parents": {}}
T0LOCAL:C0OPS:1795345321.836016		1f1e6642-533f-61d3-8002-48806b68aabc	1f1e6642-52c9-65c0-8001-999303fce997	\N	{"v": 4, "id": "1f1e6642-533f-61d3-8002-48806b68aabc", "ts": "2026-11-22T11:02:02.047512+00:00", "versions_seen": {"execute": {"branch:to:execute": "00000000000000000000000000000002.0.984013406011899"}, "reflect": {"branch:to:reflect": "00000000000000000000000000000003.0.2765693563595326"}, "__input__": {}, "__start__": {"__start__": "00000000000000000000000000000001.0.6478341755313585"}, "look0@88111a8b77aa365e": {}}, "channel_values": {"seq": 1, "turn": 1, "rounds": 1, "branch:to:execute": null}, "channel_versions": {"seq": "00000000000000000000000000000003.0.2765693563595326", "turn": "00000000000000000000000000000002.0.984013406011899", "rounds": "00000000000000000000000000000004.0.48380087163695173", "results": "00000000000000000000000000000003.0.2765693563595326", "__start__": "00000000000000000000000000000002.0.984013406011899", "branch:to:execute": "00000000000000000000000000000004.0.48380087163695173", "branch:to:reflect": "00000000000000000000000000000004.0.48380087163695173"}, "updated_channels": ["branch:to:execute", "rounds"]}	{"step": 2, "source": "loop", "parents": {}}
T0LOCAL:C0OPS:1795345321.836016		1f1e6642-5392-6e70-8003-7fe7ac40d489	1f1e6642-533f-61d3-8002-48806b68aabc	\N	{"v": 4, "id": "1f1e6642-5392-6e70-8003-7fe7ac40d489", "ts": "2026-11-22T11:02:02.081833+00:00", "versions_seen": {"execute": {"branch:to:execute": "00000000000000000000000000000004.0.48380087163695173"}, "reflect": {"branch:to:reflect": "00000000000000000000000000000003.0.2765693563595326"}, "__input__": {}, "__start__": {"__start__": "00000000000000000000000000000001.0.6478341755313585"}, "look0@88111a8b77aa365e": {}, "look1@2eda456ff0cb8482": {}}, "channel_values": {"seq": 2, "turn": 1, "rounds": 1, "branch:to:reflect": null}, "channel_versions": {"seq": "00000000000000000000000000000005.0.062304127911418705", "turn": "00000000000000000000000000000002.0.984013406011899", "rounds": "00000000000000000000000000000004.0.48380087163695173", "results": "00000000000000000000000000000005.0.062304127911418705", "__start__": "00000000000000000000000000000002.0.984013406011899", "branch:to:execute": "00000000000000000000000000000005.0.062304127911418705", "branch:to:reflect": "00000000000000000000000000000005.0.062304127911418705"}, "updated_channels": ["branch:to:reflect", "results", "seq"]}	{"step": 3, "source": "loop", "parents": {}}
T0LOCAL:C0OPS:1795345322.475037		1f1e6642-58bb-6298-8001-1c441348d022	1f1e6642-57ab-6d03-8000-09de29b8c49c	\N	{"v": 4, "id": "1f1e6642-58bb-6298-8001-1c441348d022", "ts": "2026-11-22T11:02:02.622606+00:00", "versions_seen": {"execute": {"branch:to:execute": "00000000000000000000000000000002.0.9897280953498642"}, "__input__": {}, "__start__": {"__start__": "00000000000000000000000000000001.0.7083264982146383"}, "look@c6d164fbbaa5cb76": {}}, "channel_values": {"seq": 1, "turn": 1, "rounds": 0, "branch:to:reflect": null}, "channel_versions": {"seq": "00000000000000000000000000000003.0.8358862029955216", "turn": "00000000000000000000000000000002.0.9897280953498642", "rounds": "00000000000000000000000000000002.0.9897280953498642", "results": "00000000000000000000000000000003.0.8358862029955216", "__start__": "00000000000000000000000000000002.0.9897280953498642", "branch:to:execute": "00000000000000000000000000000003.0.8358862029955216", "branch:to:reflect": "00000000000000000000000000000003.0.8358862029955216"}, "updated_channels": ["branch:to:reflect", "results", "seq"]}	{"step": 1, "source": "loop", "parents": {}}
T0LOCAL:C0OPS:1795345321.836016		1f1e6642-5413-6a19-8004-6d2fef86b6ed	1f1e6642-5392-6e70-8003-7fe7ac40d489	\N	{"v": 4, "id": "1f1e6642-5413-6a19-8004-6d2fef86b6ed", "ts": "2026-11-22T11:02:02.134560+00:00", "versions_seen": {"execute": {"branch:to:execute": "00000000000000000000000000000004.0.48380087163695173"}, "reflect": {"branch:to:reflect": "00000000000000000000000000000005.0.062304127911418705"}, "__input__": {}, "__start__": {"__start__": "00000000000000000000000000000001.0.6478341755313585"}, "look0@88111a8b77aa365e": {}, "look1@2eda456ff0cb8482": {}}, "channel_values": {"seq": 2, "turn": 1, "rounds": 2, "branch:to:execute": null}, "channel_versions": {"seq": "00000000000000000000000000000005.0.062304127911418705", "turn": "00000000000000000000000000000002.0.984013406011899", "rounds": "00000000000000000000000000000006.0.7579462041514894", "results": "00000000000000000000000000000005.0.062304127911418705", "__start__": "00000000000000000000000000000002.0.984013406011899", "branch:to:execute": "00000000000000000000000000000006.0.7579462041514894", "branch:to:reflect": "00000000000000000000000000000006.0.7579462041514894"}, "updated_channels": ["branch:to:execute", "rounds"]}	{"step": 4, "source": "loop", "parents": {}}
T0LOCAL:C0OPS:1795345321.836016		1f1e6642-545a-678d-8005-4ee41e1ba92e	1f1e6642-5413-6a19-8004-6d2fef86b6ed	\N	{"v": 4, "id": "1f1e6642-545a-678d-8005-4ee41e1ba92e", "ts": "2026-11-22T11:02:02.163568+00:00", "versions_seen": {"execute": {"branch:to:execute": "00000000000000000000000000000006.0.7579462041514894"}, "reflect": {"branch:to:reflect": "00000000000000000000000000000005.0.062304127911418705"}, "__input__": {}, "__start__": {"__start__": "00000000000000000000000000000001.0.6478341755313585"}, "look0@88111a8b77aa365e": {}, "look1@2eda456ff0cb8482": {}, "look2@122059293bc382f9": {}}, "channel_values": {"seq": 3, "turn": 1, "rounds": 2, "branch:to:reflect": null}, "channel_versions": {"seq": "00000000000000000000000000000007.0.5243274776812984", "turn": "00000000000000000000000000000002.0.984013406011899", "rounds": "00000000000000000000000000000006.0.7579462041514894", "results": "00000000000000000000000000000007.0.5243274776812984", "__start__": "00000000000000000000000000000002.0.984013406011899", "branch:to:execute": "00000000000000000000000000000007.0.5243274776812984", "branch:to:reflect": "00000000000000000000000000000007.0.5243274776812984"}, "updated_channels": ["branch:to:reflect", "results", "seq"]}	{"step": 5, "source": "loop", "parents": {}}
T0LOCAL:C0OPS:1795345321.836016		1f1e6642-54ef-63ac-8006-03ccccd1c514	1f1e6642-545a-678d-8005-4ee41e1ba92e	\N	{"v": 4, "id": "1f1e6642-54ef-63ac-8006-03ccccd1c514", "ts": "2026-11-22T11:02:02.224499+00:00", "versions_seen": {"execute": {"branch:to:execute": "00000000000000000000000000000006.0.7579462041514894"}, "reflect": {"branch:to:reflect": "00000000000000000000000000000007.0.5243274776812984"}, "__input__": {}, "__start__": {"__start__": "00000000000000000000000000000001.0.6478341755313585"}, "look0@88111a8b77aa365e": {}, "look1@2eda456ff0cb8482": {}, "look2@122059293bc382f9": {}}, "channel_values": {"seq": 3, "turn": 1, "rounds": 3, "branch:to:execute": null}, "channel_versions": {"seq": "00000000000000000000000000000007.0.5243274776812984", "turn": "00000000000000000000000000000002.0.984013406011899", "rounds": "00000000000000000000000000000008.0.1875606491223043", "results": "00000000000000000000000000000007.0.5243274776812984", "__start__": "00000000000000000000000000000002.0.984013406011899", "branch:to:execute": "00000000000000000000000000000008.0.1875606491223043", "branch:to:reflect": "00000000000000000000000000000008.0.1875606491223043"}, "updated_channels": ["branch:to:execute", "rounds"]}	{"step": 6, "source": "loop", "parents": {}}
T0LOCAL:C0OPS:1795345321.836016		1f1e6642-5539-623b-8007-e0ac1f907a7c	1f1e6642-54ef-63ac-8006-03ccccd1c514	\N	{"v": 4, "id": "1f1e6642-5539-623b-8007-e0ac1f907a7c", "ts": "2026-11-22T11:02:02.254770+00:00", "versions_seen": {"execute": {"branch:to:execute": "00000000000000000000000000000008.0.1875606491223043"}, "reflect": {"branch:to:reflect": "00000000000000000000000000000007.0.5243274776812984"}, "__input__": {}, "__start__": {"__start__": "00000000000000000000000000000001.0.6478341755313585"}, "look0@88111a8b77aa365e": {}, "look1@2eda456ff0cb8482": {}, "look2@122059293bc382f9": {}, "look3@281eb321c97ad401": {}}, "channel_values": {"seq": 4, "turn": 1, "rounds": 3, "branch:to:reflect": null}, "channel_versions": {"seq": "00000000000000000000000000000009.0.800365847666904", "turn": "00000000000000000000000000000002.0.984013406011899", "rounds": "00000000000000000000000000000008.0.1875606491223043", "results": "00000000000000000000000000000009.0.800365847666904", "__start__": "00000000000000000000000000000002.0.984013406011899", "branch:to:execute": "00000000000000000000000000000009.0.800365847666904", "branch:to:reflect": "00000000000000000000000000000009.0.800365847666904"}, "updated_channels": ["branch:to:reflect", "results", "seq"]}	{"step": 7, "source": "loop", "parents": {}}
T0LOCAL:C0OPS:1795345322.475037		1f1e6642-57aa-6458-bfff-678e8f1ee252	\N	\N	{"v": 4, "id": "1f1e6642-57aa-6458-bfff-678e8f1ee252", "ts": "2026-11-22T11:02:02.510849+00:00", "versions_seen": {"__input__": {}}, "channel_values": {}, "channel_versions": {"__start__": "00000000000000000000000000000001.0.7083264982146383"}, "updated_channels": ["__start__"]}	{"step": -1, "source": "input", "parents": {}}
T0LOCAL:C0OPS:1795345322.475037		1f1e6642-57ab-6d03-8000-09de29b8c49c	1f1e6642-57aa-6458-bfff-678e8f1ee252	\N	{"v": 4, "id": "1f1e6642-57ab-6d03-8000-09de29b8c49c", "ts": "2026-11-22T11:02:02.511473+00:00", "versions_seen": {"__input__": {}, "__start__": {"__start__": "00000000000000000000000000000001.0.7083264982146383"}}, "channel_values": {"turn": 1, "rounds": 0, "branch:to:execute": null}, "channel_versions": {"turn": "00000000000000000000000000000002.0.9897280953498642", "rounds": "00000000000000000000000000000002.0.9897280953498642", "__start__": "00000000000000000000000000000002.0.9897280953498642", "branch:to:execute": "00000000000000000000000000000002.0.9897280953498642"}, "updated_channels": ["branch:to:execute", "rounds", "turn"]}	{"step": 0, "source": "loop", "parents": {}}
T0LOCAL:C0OPS:1795345324.081574		1f1e6642-671c-6e30-bfff-33f4f29690df	\N	\N	{"v": 4, "id": "1f1e6642-671c-6e30-bfff-33f4f29690df", "ts": "2026-11-22T11:02:04.130659+00:00", "versions_seen": {"__input__": {}}, "channel_values": {}, "channel_versions": {"__start__": "00000000000000000000000000000001.0.8607845217550936"}, "updated_channels": ["__start__"]}	{"step": -1, "source": "input", "parents": {}}
T0LOCAL:C0OPS:1795345324.081574		1f1e6642-671e-63e0-8000-903deb7e3d32	1f1e6642-671c-6e30-bfff-33f4f29690df	\N	{"v": 4, "id": "1f1e6642-671e-63e0-8000-903deb7e3d32", "ts": "2026-11-22T11:02:04.131211+00:00", "versions_seen": {"__input__": {}, "__start__": {"__start__": "00000000000000000000000000000001.0.8607845217550936"}}, "channel_values": {"turn": 1, "rounds": 0, "branch:to:execute": null}, "channel_versions": {"turn": "00000000000000000000000000000002.0.7058819390654495", "rounds": "00000000000000000000000000000002.0.7058819390654495", "__start__": "00000000000000000000000000000002.0.7058819390654495", "branch:to:execute": "00000000000000000000000000000002.0.7058819390654495"}, "updated_channels": ["branch:to:execute", "rounds", "turn"]}	{"step": 0, "source": "loop", "parents": {}}
T0LOCAL:C0OPS:1795345327.528241		1f1e6642-87c4-649f-bfff-42b2254d1995	\N	\N	{"v": 4, "id": "1f1e6642-87c4-649f-bfff-42b2254d1995", "ts": "2026-11-22T11:02:07.554667+00:00", "versions_seen": {"__input__": {}}, "channel_values": {}, "channel_versions": {"__start__": "00000000000000000000000000000001.0.8527495160122874"}, "updated_channels": ["__start__"]}	{"step": -1, "source": "input", "parents": {}}
T0LOCAL:C0OPS:1795345327.528241		1f1e6642-87c5-6d16-8000-8cf5a2f4c19f	1f1e6642-87c4-649f-bfff-42b2254d1995	\N	{"v": 4, "id": "1f1e6642-87c5-6d16-8000-8cf5a2f4c19f", "ts": "2026-11-22T11:02:07.555292+00:00", "versions_seen": {"__input__": {}, "__start__": {"__start__": "00000000000000000000000000000001.0.8527495160122874"}}, "channel_values": {"turn": 1, "rounds": 0, "branch:to:execute": null}, "channel_versions": {"turn": "00000000000000000000000000000002.0.7893506616860352", "rounds": "00000000000000000000000000000002.0.7893506616860352", "__start__": "00000000000000000000000000000002.0.7893506616860352", "branch:to:execute": "00000000000000000000000000000002.0.7893506616860352"}, "updated_channels": ["branch:to:execute", "rounds", "turn"]}	{"step": 0, "source": "loop", "parents": {}}
T0LOCAL:C0OPS:1795345340.073854		1f1e6643-5411-6418-bfff-375c8a19db5d	\N	\N	{"v": 4, "id": "1f1e6643-5411-6418-bfff-375c8a19db5d", "ts": "2026-11-22T11:02:28.977144+00:00", "versions_seen": {"__input__": {}}, "channel_values": {}, "channel_versions": {"__start__": "00000000000000000000000000000001.0.8740496300949158"}, "updated_channels": ["__start__"]}	{"step": -1, "source": "input", "parents": {}}
T0LOCAL:C0OPS:1795345340.073854		1f1e6643-5414-69d5-8000-39aa0310bcef	1f1e6643-5411-6418-bfff-375c8a19db5d	\N	{"v": 4, "id": "1f1e6643-5414-69d5-8000-39aa0310bcef", "ts": "2026-11-22T11:02:28.978518+00:00", "versions_seen": {"__input__": {}, "__start__": {"__start__": "00000000000000000000000000000001.0.8740496300949158"}}, "channel_values": {"turn": 1, "rounds": 0, "branch:to:execute": null}, "channel_versions": {"turn": "00000000000000000000000000000002.0.3458587336688481", "rounds": "00000000000000000000000000000002.0.3458587336688481", "__start__": "00000000000000000000000000000002.0.3458587336688481", "branch:to:execute": "00000000000000000000000000000002.0.3458587336688481"}, "updated_channels": ["branch:to:execute", "rounds", "turn"]}	{"step": 0, "source": "loop", "parents": {}}
T0LOCAL:C0OPS:1795345350.812644		1f1e6643-b3aa-618f-bfff-6cb96ee2d825	\N	\N	{"v": 4, "id": "1f1e6643-b3aa-618f-bfff-6cb96ee2d825", "ts": "2026-11-22T11:02:39.001219+00:00", "versions_seen": {"__input__": {}}, "channel_values": {}, "channel_versions": {"__start__": "00000000000000000000000000000001.0.40889880345402196"}, "updated_channels": ["__start__"]}	{"step": -1, "source": "input", "parents": {}}
T0LOCAL:C0OPS:1795345350.812644		1f1e6643-b3ad-6ca7-8000-6ca1475d6bc5	1f1e6643-b3aa-618f-bfff-6cb96ee2d825	\N	{"v": 4, "id": "1f1e6643-b3ad-6ca7-8000-6ca1475d6bc5", "ts": "2026-11-22T11:02:39.002730+00:00", "versions_seen": {"__input__": {}, "__start__": {"__start__": "00000000000000000000000000000001.0.40889880345402196"}}, "channel_values": {"turn": 1, "rounds": 0, "branch:to:execute": null}, "channel_versions": {"turn": "00000000000000000000000000000002.0.7885857731324846", "rounds": "00000000000000000000000000000002.0.7885857731324846", "__start__": "00000000000000000000000000000002.0.7885857731324846", "branch:to:execute": "00000000000000000000000000000002.0.7885857731324846"}, "updated_channels": ["branch:to:execute", "rounds", "turn"]}	{"step": 0, "source": "loop", "parents": {}}
\.


--
-- Data for Name: inbox; Type: TABLE DATA; Schema: public; Owner: -
--

COPY public.inbox (tenant, id, thread, app, event_id, channel, ts, author, text, kind, at, turn) FROM stdin;
T0LOCAL	1	T0LOCAL:C0OPS:1795345312.345023	A0GREENLIGHT	EvZPI7BNKP9S	C0OPS	1795345312.345023	U0ADA	tell them that all is well	mention	2026-11-22 11:01:52.376643+00	1
T0LOCAL	3	T0LOCAL:C0OPS:1795345321.836016	A0GREENLIGHT	EvG6VI3MN94C	C0OPS	1795345321.836016	U0ADA	keep looking around	mention	2026-11-22 11:02:01.84175+00	1
T0LOCAL	5	T0LOCAL:C0OPS:1795345322.475037	A0GREENLIGHT	EvR46OUCX9RY	C0OPS	1795345322.475037	U0ADA	look at my region	mention	2026-11-22 11:02:02.478271+00	1
T0LOCAL	7	T0LOCAL:C0OPS:1795345324.081574	A0GREENLIGHT	Ev4MCS0DLISC	C0OPS	1795345324.081574	U0ADA	tell about every host that is down	mention	2026-11-22 11:02:04.088358+00	1
T0LOCAL	9	T0LOCAL:C0OPS:1795345327.528241	A0GREENLIGHT	EvNEEO70C6ZA	C0OPS	1795345327.528241	U0ADA	tell them what is unknown	mention	2026-11-22 11:02:07.532159+00	1
T0LOCAL	11	T0LOCAL:C0OPS:1795345340.073854	A0GREENLIGHT	EvD3T2D99K87	C0OPS	1795345340.073854	U0ADA	look twice	mention	2026-11-22 11:02:20.080395+00	1
T0LOCAL	13	T0LOCAL:C0OPS:1795345350.812644	A0GREENLIGHT	Ev7G9V9ZRUX1	C0OPS	1795345350.812644	U0ADA	count what is there	mention	2026-11-22 11:02:30.817239+00	1
\.


--
-- Data for Name: leases; Type: TABLE DATA; Schema: public; Owner: -
--

COPY public.leases (tenant, thread, worker, job, token, taken_at) FROM stdin;
T0LOCAL	T0LOCAL:C0OPS:1795345350.812644	06be08d30e3946db81c8438a922df0d2	10	10	2026-11-22 11:02:38.934622+00
\.


--
-- Data for Name: ledger; Type: TABLE DATA; Schema: public; Owner: -
--

COPY public.ledger (tenant, thread, node, attempt, digest, state, result, started_at, finished_at) FROM stdin;
T0LOCAL	T0LOCAL:C0OPS:1795345324.081574	tell-0	1	dd9bb4212f94382d2eedf9c9feac5c3489d4e01493a015b976f49b52a3026ab2	done	{"state":"succeeded","value":{"channel":"C0INCIDENTS","ts":"1795345327.394402"}}	2026-11-22 11:02:07.387902+00	2026-11-22 11:02:07.40119+00
T0LOCAL	T0LOCAL:C0OPS:1795345327.528241	tell	1	61841264d1c2a7e11f0135367a1fdb3a0e674903ae3bcccf3c9eac427acfeccf	started	\N	2026-11-22 11:02:09.485761+00	\N
\.


--
-- Data for Name: nodes; Type: TABLE DATA; Schema: public; Owner: -
--

COPY public.nodes (tenant, thread, node, turn, noted, title, kind, tool, colour, author, state, detail, depends_on, outcome, planned_at, changed_at, started_at, ended_at) FROM stdin;
T0LOCAL	T0LOCAL:C0OPS:1795345312.345023	after	1	4	Title of after	tool	slack_read_channel	green	U0ADA	planned		["tell"]	\N	2026-11-22 11:02:01.610625+00	2026-11-22 11:02:01.610625+00	\N	\N
T0LOCAL	T0LOCAL:C0OPS:1795345312.345023	first	1	1	Title of first	tool	slack_read_channel	green	U0ADA	succeeded		[]	{"state":"succeeded","value":{"channel":{"id":"C0GENERAL","name":"general"},"messages":[{"ts":"1795345312.300687","at":"2026-11-22T11:01:52+00:00","author":{"id":"U0ADA","name":"Ada Lovelace"},"text":"first"}],"truncated":false}}	2026-11-22 11:02:01.59157+00	2026-11-22 11:02:01.622974+00	2026-11-22 11:02:01.598828+00	2026-11-22 11:02:01.622974+00
T0LOCAL	T0LOCAL:C0OPS:1795345324.081574	tell-0	1	13	Title of tell (1 of 3)	tool	slack_post_message	red	U0ADA	succeeded		["find"]	{"state":"succeeded","value":{"channel":"C0INCIDENTS","ts":"1795345327.394402"}}	2026-11-22 11:02:04.314643+00	2026-11-22 11:02:07.405617+00	2026-11-22 11:02:07.390018+00	2026-11-22 11:02:07.405617+00
T0LOCAL	T0LOCAL:C0OPS:1795345312.345023	tell	1	3	Title of tell	tool	slack_post_message	red	U0ADA	asking		["third"]	\N	2026-11-22 11:02:01.592003+00	2026-11-22 11:02:01.674673+00	\N	\N
T0LOCAL	T0LOCAL:C0OPS:1795345312.345023	third	1	2	Title of second → Title of third	package	\N	green	U0ADA	succeeded		["first"]	{"state":"succeeded","value":{"channel":{"id":"C0GENERAL","name":"general"},"messages":[{"ts":"1795345312.303919","at":"2026-11-22T11:01:52+00:00","author":{"id":"U0ADA","name":"Ada Lovelace"},"text":"third"}],"truncated":false}}	2026-11-22 11:02:01.591836+00	2026-11-22 11:02:01.665147+00	2026-11-22 11:02:01.62474+00	2026-11-22 11:02:01.665147+00
T0LOCAL	T0LOCAL:C0OPS:1795345321.836016	look0	1	5	Title of look0	tool	slack_read_channel	green	U0ADA	succeeded		[]	{"state":"succeeded","value":{"channel":{"id":"C0GENERAL","name":"general"},"messages":[{"ts":"1795345312.307840","at":"2026-11-22T11:01:52+00:00","author":{"id":"U0ADA","name":"Ada Lovelace"},"text":"round-0"}],"truncated":false}}	2026-11-22 11:02:01.967915+00	2026-11-22 11:02:01.984609+00	2026-11-22 11:02:01.970288+00	2026-11-22 11:02:01.984609+00
T0LOCAL	T0LOCAL:C0OPS:1795345321.836016	look1	1	6	Title of look1	tool	slack_read_channel	green	U0ADA	succeeded		[]	{"state":"succeeded","value":{"channel":{"id":"C0GENERAL","name":"general"},"messages":[{"ts":"1795345312.309005","at":"2026-11-22T11:01:52+00:00","author":{"id":"U0ADA","name":"Ada Lovelace"},"text":"round-1"}],"truncated":false}}	2026-11-22 11:02:02.067793+00	2026-11-22 11:02:02.073222+00	2026-11-22 11:02:02.068747+00	2026-11-22 11:02:02.073222+00
T0LOCAL	T0LOCAL:C0OPS:1795345321.836016	look2	1	7	Title of look2	tool	slack_read_channel	green	U0ADA	succeeded		[]	{"state":"succeeded","value":{"channel":{"id":"C0GENERAL","name":"general"},"messages":[{"ts":"1795345312.309517","at":"2026-11-22T11:01:52+00:00","author":{"id":"U0ADA","name":"Ada Lovelace"},"text":"round-2"}],"truncated":false}}	2026-11-22 11:02:02.146019+00	2026-11-22 11:02:02.152013+00	2026-11-22 11:02:02.147004+00	2026-11-22 11:02:02.152013+00
T0LOCAL	T0LOCAL:C0OPS:1795345321.836016	look3	1	8	Title of look3	tool	slack_read_channel	green	U0ADA	succeeded		[]	{"state":"succeeded","value":{"channel":{"id":"C0GENERAL","name":"general"},"messages":[{"ts":"1795345312.310194","at":"2026-11-22T11:01:52+00:00","author":{"id":"U0ADA","name":"Ada Lovelace"},"text":"round-3"}],"truncated":false}}	2026-11-22 11:02:02.23564+00	2026-11-22 11:02:02.242122+00	2026-11-22 11:02:02.236817+00	2026-11-22 11:02:02.242122+00
T0LOCAL	T0LOCAL:C0OPS:1795345322.475037	look	1	9	Title of look	tool	slack_read_channel	green	U0ADA	succeeded		[]	{"state":"succeeded","value":{"channel":{"id":"C0GENERAL","name":"general"},"messages":[{"ts":"1795345312.311547","at":"2026-11-22T11:01:52+00:00","author":{"id":"U0ADA","name":"Ada Lovelace"},"text":"asked"}],"truncated":false}}	2026-11-22 11:02:02.599764+00	2026-11-22 11:02:02.61504+00	2026-11-22 11:02:02.602942+00	2026-11-22 11:02:02.61504+00
T0LOCAL	T0LOCAL:C0OPS:1795345324.081574	behind	1	12	Title of behind	tool	slack_read_channel	green	U0ADA	planned		["tell"]	\N	2026-11-22 11:02:04.272771+00	2026-11-22 11:02:04.272771+00	\N	\N
T0LOCAL	T0LOCAL:C0OPS:1795345324.081574	find	1	10	Title of find	package	\N	green	U0ADA	succeeded		[]	{"state":"succeeded","value":{"hosts":[{"name":"a","down":true},{"name":"b","down":false},{"name":"c","down":true}]}}	2026-11-22 11:02:04.246706+00	2026-11-22 11:02:04.299664+00	2026-11-22 11:02:04.250166+00	2026-11-22 11:02:04.299664+00
T0LOCAL	T0LOCAL:C0OPS:1795345324.081574	tell	1	11	Title of tell	tool	slack_post_message	green	U0ADA	running		["find"]	\N	2026-11-22 11:02:04.262246+00	2026-11-22 11:02:04.30981+00	2026-11-22 11:02:04.30981+00	\N
T0LOCAL	T0LOCAL:C0OPS:1795345340.073854	one	1	31	Title of one	tool	slack_read_channel	green	U0ADA	succeeded		[]	{"state":"succeeded","value":{"channel":{"id":"C0GENERAL","name":"general"},"messages":[{"ts":"1795345312.313039","at":"2026-11-22T11:01:52+00:00","author":{"id":"U0ADA","name":"Ada Lovelace"},"text":"budget-1"}],"truncated":false}}	2026-11-22 11:02:29.383794+00	2026-11-22 11:02:29.466764+00	2026-11-22 11:02:29.39223+00	2026-11-22 11:02:29.466764+00
T0LOCAL	T0LOCAL:C0OPS:1795345324.081574	tell-1	1	14	Title of tell (2 of 3)	tool	slack_post_message	red	U0ADA	skipped		["find"]	{"state":"skipped","because":"find","why":"its condition was not met"}	2026-11-22 11:02:04.314838+00	2026-11-22 11:02:04.351763+00	\N	2026-11-22 11:02:04.351763+00
T0LOCAL	T0LOCAL:C0OPS:1795345324.081574	tell-2	1	15	Title of tell (3 of 3)	tool	slack_post_message	red	U0ADA	asking		["find"]	\N	2026-11-22 11:02:04.314892+00	2026-11-22 11:02:04.339283+00	\N	\N
T0LOCAL	T0LOCAL:C0OPS:1795345327.528241	after	1	24	Title of after	tool	slack_read_channel	green	U0ADA	planned		["tell"]	\N	2026-11-22 11:02:07.692094+00	2026-11-22 11:02:07.692094+00	\N	\N
T0LOCAL	T0LOCAL:C0OPS:1795345327.528241	before	1	22	Title of before	tool	slack_read_channel	green	U0ADA	succeeded		[]	{"state":"succeeded","value":{"channel":{"id":"C0GENERAL","name":"general"},"messages":[{"ts":"1795345312.306181","at":"2026-11-22T11:01:52+00:00","author":{"id":"U0ADA","name":"Ada Lovelace"},"text":"before-unknown"}],"truncated":false}}	2026-11-22 11:02:07.643125+00	2026-11-22 11:02:07.680971+00	2026-11-22 11:02:07.663228+00	2026-11-22 11:02:07.680971+00
T0LOCAL	T0LOCAL:C0OPS:1795345350.812644	count	1	33	Title of count	package	\N	green	U0ADA	running		[]	\N	2026-11-22 11:02:39.438379+00	2026-11-22 11:02:39.441833+00	2026-11-22 11:02:39.441833+00	\N
T0LOCAL	T0LOCAL:C0OPS:1795345327.528241	tell	1	23	Title of tell	tool	slack_post_message	red	U0ADA	unknown		["before"]	\N	2026-11-22 11:02:07.672062+00	2026-11-22 11:02:18.329777+00	2026-11-22 11:02:09.486698+00	\N
T0LOCAL	T0LOCAL:C0OPS:1795345340.073854	two	1	32	Title of two	tool	slack_read_channel	green	U0ADA	planned		["one"]	\N	2026-11-22 11:02:29.43105+00	2026-11-22 11:02:29.43105+00	\N	\N
\.


--
-- Data for Name: operations; Type: TABLE DATA; Schema: public; Owner: -
--

COPY public.operations (tenant, thread, seq, turn, author, operation, adds, at) FROM stdin;
T0LOCAL	T0LOCAL:C0OPS:1795345312.345023	1	1	U0ADA	{"op":"add","id":"first","kind":"tool","title":"Title of first","tool":"slack_read_channel","args":{"channel":"#general","thread_ts":"1795345312.300687"}}	first	2026-11-22 11:02:01.465467+00
T0LOCAL	T0LOCAL:C0OPS:1795345312.345023	2	1	U0ADA	{"op":"add","id":"third","kind":"package","title":"Title of second \\u2192 Title of third","depends_on":["first"],"code":"# Packed: second -> third\\ndef main(inputs):\\n    second = tools.slack_read_channel(channel='#general', thread_ts='1795345312.302620')\\n    return tools.slack_read_channel(channel='#general', thread_ts='1795345312.303919')\\n","tools":["slack_read_channel"],"packed":[{"id":"second","title":"Title of second","tool":"slack_read_channel","digest":"ec79f09b941fba3aaa1486b1974509a9dbf362e66ce73367e0fccdbf2d34fcb9"},{"id":"third","title":"Title of third","tool":"slack_read_channel","digest":"070f6b7737becfe5707baa17cc4424f7452a7d95d79fd53aff2df37785de9103"}]}	third	2026-11-22 11:02:01.552903+00
T0LOCAL	T0LOCAL:C0OPS:1795345312.345023	3	1	U0ADA	{"op":"add","id":"tell","kind":"tool","title":"Title of tell","tool":"slack_post_message","args":{"channel":"#incidents","text":"all is well on ${third#/messages/0/text}"},"depends_on":["third"]}	tell	2026-11-22 11:02:01.566544+00
T0LOCAL	T0LOCAL:C0OPS:1795345312.345023	4	1	U0ADA	{"op":"add","id":"after","kind":"tool","title":"Title of after","tool":"slack_read_channel","args":{"channel":"#general","thread_ts":"1795345312.305215"},"depends_on":["tell"]}	after	2026-11-22 11:02:01.58231+00
T0LOCAL	T0LOCAL:C0OPS:1795345321.836016	1	1	U0ADA	{"op":"add","id":"look0","kind":"tool","title":"Title of look0","tool":"slack_read_channel","args":{"channel":"#general","thread_ts":"1795345312.307840"}}	look0	2026-11-22 11:02:01.946107+00
T0LOCAL	T0LOCAL:C0OPS:1795345321.836016	2	1	U0ADA	{"op":"add","id":"look1","kind":"tool","title":"Title of look1","tool":"slack_read_channel","args":{"channel":"#general","thread_ts":"1795345312.309005"}}	look1	2026-11-22 11:02:02.036461+00
T0LOCAL	T0LOCAL:C0OPS:1795345321.836016	3	1	U0ADA	{"op":"add","id":"look2","kind":"tool","title":"Title of look2","tool":"slack_read_channel","args":{"channel":"#general","thread_ts":"1795345312.309517"}}	look2	2026-11-22 11:02:02.120368+00
T0LOCAL	T0LOCAL:C0OPS:1795345321.836016	4	1	U0ADA	{"op":"add","id":"look3","kind":"tool","title":"Title of look3","tool":"slack_read_channel","args":{"channel":"#general","thread_ts":"1795345312.310194"}}	look3	2026-11-22 11:02:02.214909+00
T0LOCAL	T0LOCAL:C0OPS:1795345322.475037	1	1	U0ADA	{"op":"add","id":"look","kind":"tool","title":"Title of look","tool":"slack_read_channel","args":{"channel":"#general","thread_ts":"1795345312.311547"}}	look	2026-11-22 11:02:02.579809+00
T0LOCAL	T0LOCAL:C0OPS:1795345324.081574	1	1	U0ADA	{"op":"add","id":"find","kind":"package","title":"Title of find","code":"def main(inputs):\\n    hosts = [{'name': name, 'down': name != 'b'} for name in ['a', 'b', 'c']]\\n    return {'hosts': hosts}\\n"}	find	2026-11-22 11:02:04.193992+00
T0LOCAL	T0LOCAL:C0OPS:1795345324.081574	2	1	U0ADA	{"op":"add","id":"tell","kind":"tool","title":"Title of tell","tool":"slack_post_message","args":{"channel":"#incidents","text":"host ${item#/name} is down"},"depends_on":["find"],"for_each":"${find#/hosts}","when":"${item#/down}"}	tell	2026-11-22 11:02:04.237427+00
T0LOCAL	T0LOCAL:C0OPS:1795345324.081574	3	1	U0ADA	{"op":"add","id":"behind","kind":"tool","title":"Title of behind","tool":"slack_read_channel","args":{"channel":"#general","thread_ts":"1795345312.314427"},"depends_on":["tell"]}	behind	2026-11-22 11:02:04.257108+00
T0LOCAL	T0LOCAL:C0OPS:1795345324.081574	4	1	U0ADA	{"op":"add","id":"tell-0","kind":"tool","title":"Title of tell (1 of 3)","tool":"slack_post_message","args":{"channel":"#incidents","text":"host ${find#/hosts/0/name} is down"},"depends_on":["find"],"when":"${find#/hosts/0/down}","item_of":"tell"}	tell-0	2026-11-22 11:02:04.303923+00
T0LOCAL	T0LOCAL:C0OPS:1795345324.081574	5	1	U0ADA	{"op":"add","id":"tell-1","kind":"tool","title":"Title of tell (2 of 3)","tool":"slack_post_message","args":{"channel":"#incidents","text":"host ${find#/hosts/1/name} is down"},"depends_on":["find"],"when":"${find#/hosts/1/down}","item_of":"tell"}	tell-1	2026-11-22 11:02:04.303923+00
T0LOCAL	T0LOCAL:C0OPS:1795345324.081574	6	1	U0ADA	{"op":"add","id":"tell-2","kind":"tool","title":"Title of tell (3 of 3)","tool":"slack_post_message","args":{"channel":"#incidents","text":"host ${find#/hosts/2/name} is down"},"depends_on":["find"],"when":"${find#/hosts/2/down}","item_of":"tell"}	tell-2	2026-11-22 11:02:04.303923+00
T0LOCAL	T0LOCAL:C0OPS:1795345324.081574	7	1	U0ADA	{"op":"skip","id":"tell-1","because":"find","why":"its condition was not met"}	\N	2026-11-22 11:02:04.321186+00
T0LOCAL	T0LOCAL:C0OPS:1795345327.528241	1	1	U0ADA	{"op":"add","id":"before","kind":"tool","title":"Title of before","tool":"slack_read_channel","args":{"channel":"#general","thread_ts":"1795345312.306181"}}	before	2026-11-22 11:02:07.614333+00
T0LOCAL	T0LOCAL:C0OPS:1795345327.528241	2	1	U0ADA	{"op":"add","id":"tell","kind":"tool","title":"Title of tell","tool":"slack_post_message","args":{"channel":"#incidents","text":"what is unknown"},"depends_on":["before"]}	tell	2026-11-22 11:02:07.637163+00
T0LOCAL	T0LOCAL:C0OPS:1795345327.528241	3	1	U0ADA	{"op":"add","id":"after","kind":"tool","title":"Title of after","tool":"slack_read_channel","args":{"channel":"#general","thread_ts":"1795345312.307051"},"depends_on":["tell"]}	after	2026-11-22 11:02:07.666239+00
T0LOCAL	T0LOCAL:C0OPS:1795345340.073854	1	1	U0ADA	{"op":"add","id":"one","kind":"tool","title":"Title of one","tool":"slack_read_channel","args":{"channel":"#general","thread_ts":"1795345312.313039"}}	one	2026-11-22 11:02:29.342587+00
T0LOCAL	T0LOCAL:C0OPS:1795345340.073854	2	1	U0ADA	{"op":"add","id":"two","kind":"tool","title":"Title of two","tool":"slack_read_channel","args":{"channel":"#general","thread_ts":"1795345312.313740"},"depends_on":["one"]}	two	2026-11-22 11:02:29.366558+00
T0LOCAL	T0LOCAL:C0OPS:1795345350.812644	1	1	U0ADA	{"op":"add","id":"count","kind":"package","title":"Title of count","code":"def main(inputs):\\n    page = tools.slack_read_channel(channel=inputs[\\"channel\\"], thread_ts=inputs[\\"ts\\"])\\n    return {\\"counted\\": len(page[\\"messages\\"]), \\"of\\": page[\\"kinds\\"]}\\n","inputs":{"channel":"#general","ts":"1795345312.315103"},"tools":["slack_read_channel"]}	count	2026-11-22 11:02:39.381954+00
\.


--
-- Data for Name: posts; Type: TABLE DATA; Schema: public; Owner: -
--

COPY public.posts (tenant, thread, turn, post, key, begun_at, ts, shown) FROM stdin;
T0LOCAL	T0LOCAL:C0OPS:1795345312.345023	1	board		2026-11-22 11:02:01.771946+00	1795345321.774712	6413c12d0af35dae941b3314425a8af3205c1bac3a9cf91c35d2f3421426992f
T0LOCAL	T0LOCAL:C0OPS:1795345312.345023	1	card	f19414aceb46c0009c601c7df94ca327	2026-11-22 11:02:01.794209+00	1795345321.796820	e9acd0074b8265509bf78656d316b9ae43749076d3a0c270ea52ae1fe49491a8
T0LOCAL	T0LOCAL:C0OPS:1795345312.345023	1	session		2026-11-22 11:02:01.47132+00		suspended
T0LOCAL	T0LOCAL:C0OPS:1795345321.836016	1	card	73f63b8ea5874d40f94e501dc2d86321	2026-11-22 11:02:02.358667+00	1795345322.361112	0450dd6558778dca2e68791ce11c0918336e7d580ec419b278ccf02299aec785
T0LOCAL	T0LOCAL:C0OPS:1795345321.836016	1	board		2026-11-22 11:02:02.319902+00	1795345322.330324	e2af9e5ad817a05ece9e655691ed67e0c018c4ae795b1e7cce62b5c7454c19d5
T0LOCAL	T0LOCAL:C0OPS:1795345321.836016	1	session		2026-11-22 11:02:02.386931+00		suspended
T0LOCAL	T0LOCAL:C0OPS:1795345322.475037	1	board		2026-11-22 11:02:02.873071+00	1795345322.876141	8faac85afe809efbe88a51b323107fc097e4dc2f0697bebf07309f17ad29c13e
T0LOCAL	T0LOCAL:C0OPS:1795345322.475037	1	card	e0c088067f44c8d2766bf56c040b9364	2026-11-22 11:02:03.964952+00	1795345323.967311	2f335ca8db6dc7264f8ef4b2bb512209a39d72a525cbe0f7a45fc1f49e3bd032
T0LOCAL	T0LOCAL:C0OPS:1795345322.475037	1	session		2026-11-22 11:02:03.978156+00		suspended
T0LOCAL	T0LOCAL:C0OPS:1795345324.081574	1	card	47f0d42fd3a72779f78aba8ece17b1f4	2026-11-22 11:02:07.242085+00	1795345327.244921	ec0b17ee966fb172236de28a0b2ca7fb107b0c33e7f4c22fccb5ebaf7d0717af
T0LOCAL	T0LOCAL:C0OPS:1795345324.081574	1	session		2026-11-22 11:02:07.25756+00		suspended
T0LOCAL	T0LOCAL:C0OPS:1795345324.081574	1	card	5333270464150ecac34931fd0c2ac20b	2026-11-22 11:02:06.151274+00	1795345326.154086	bfbc3aeead9d520cb34973917a6d2750d3a80dfd4395b56c3b50ac56e9545a35
T0LOCAL	T0LOCAL:C0OPS:1795345324.081574	1	board		2026-11-22 11:02:05.055928+00	1795345325.058879	ef2f7c99cd965db44080d1104cc09a13e77ba4d788c3a36e59db4744a92eba48
T0LOCAL	T0LOCAL:C0OPS:1795345327.528241	1	card	262e1ac2348a96ab052f4ee0adc1a5d1	2026-11-22 11:02:09.41905+00	1795345329.421629	b9bb500bf15819f7019b65316f316e1eb1b2ce909b2714cf955cc4a1a308feab
T0LOCAL	T0LOCAL:C0OPS:1795345327.528241	1	card	1ee1a230703c4a19052f4ee0adc1a5d1	2026-11-22 11:02:18.591659+00	1795345338.594471	44c84100c98a6909f38b694638a49b633d2bf0f9efced95fcf5db4a408e1cd19
T0LOCAL	T0LOCAL:C0OPS:1795345327.528241	1	board		2026-11-22 11:02:08.327519+00	1795345328.329705	2d06bd645517b15d30ce0d7a1ea9e487d61dab72ca7bd0eab3702ad9acf65797
T0LOCAL	T0LOCAL:C0OPS:1795345327.528241	1	session		2026-11-22 11:02:09.431084+00		suspended
T0LOCAL	T0LOCAL:C0OPS:1795345340.073854	1	board		2026-11-22 11:02:29.560332+00	1795345349.562930	17866cba3685a2cd43c99cad7af302e7e962e50b1e3c19f068e59bc1bd80d01d
T0LOCAL	T0LOCAL:C0OPS:1795345340.073854	1	card	e3409c44f15660bb66d9995c6864cf72	2026-11-22 11:02:29.577021+00	1795345349.579595	195f03666d15b3adfc069b041f7b2485444bcb42221a1138f3f8a0a025b293e6
T0LOCAL	T0LOCAL:C0OPS:1795345340.073854	1	session		2026-11-22 11:02:29.48817+00		suspended
T0LOCAL	T0LOCAL:C0OPS:1795345350.812644	1	session		2026-11-22 11:02:39.429326+00		processing
T0LOCAL	T0LOCAL:C0OPS:1795345350.812644	1	board		2026-11-22 11:02:39.845768+00	\N	\N
\.


--
-- Data for Name: procrastinate_events; Type: TABLE DATA; Schema: public; Owner: -
--

COPY public.procrastinate_events (id, job_id, type, at) FROM stdin;
19	10	deferred	2026-11-22 11:02:30.817239+00
20	10	started	2026-11-22 11:02:38.923662+00
\.


--
-- Data for Name: procrastinate_jobs; Type: TABLE DATA; Schema: public; Owner: -
--

COPY public.procrastinate_jobs (id, queue_name, task_name, priority, lock, queueing_lock, args, status, scheduled_at, attempts, abort_requested, worker_id) FROM stdin;
10	default	wake	0	T0LOCAL:C0OPS:1795345350.812644	T0LOCAL:C0OPS:1795345350.812644	{"thread": "T0LOCAL:C0OPS:1795345350.812644", "failures": 0}	doing	\N	0	f	4
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
1	2026-11-22 11:02:09.149298+00
4	2026-11-22 11:02:39.421893+00
\.


--
-- Data for Name: queue_migrations; Type: TABLE DATA; Schema: public; Owner: -
--

COPY public.queue_migrations (name, applied_at) FROM stdin;
00.00.00_01_initial.sql	2026-11-22 10:34:56.644572+00
00.05.00_01_drop_started_at_column.sql	2026-11-22 10:34:56.644572+00
00.05.00_02_drop_started_at_column.sql	2026-11-22 10:34:56.644572+00
00.05.00_03_drop_procrastinate_version_table.sql	2026-11-22 10:34:56.644572+00
00.06.00_01_fix_procrastinate_fetch_job.sql	2026-11-22 10:34:56.644572+00
00.07.01_01_fix_trigger_status_events_insert.sql	2026-11-22 10:34:56.644572+00
00.08.01_01_add_queueing_lock_column.sql	2026-11-22 10:34:56.644572+00
00.10.00_01_close_fetch_job_race_condition.sql	2026-11-22 10:34:56.644572+00
00.10.00_02_add_defer_job_function.sql	2026-11-22 10:34:56.644572+00
00.11.00_03_add_procrastinate_periodic_defers.sql	2026-11-22 10:34:56.644572+00
00.12.00_01_add_foreign_key_index.sql	2026-11-22 10:34:56.644572+00
00.14.00_01_add_locks_to_periodic_defer.sql	2026-11-22 10:34:56.644572+00
00.15.02_01_fix_procrastinate_defer_periodic_job.sql	2026-11-22 10:34:56.644572+00
00.16.00_01_add_finish_job_and_retry_job_functions.sql	2026-11-22 10:34:56.644572+00
00.17.00_01_add_trigger_on_job_deletion.sql	2026-11-22 10:34:56.644572+00
00.17.00_02_delete_finished_jobs.sql	2026-11-22 10:34:56.644572+00
00.17.00_03_add_checks_to_finish_job.sql	2026-11-22 10:34:56.644572+00
00.17.00_04_add_checks_to_retry_job.sql	2026-11-22 10:34:56.644572+00
00.18.01_01_fix_finish_job_compat_issue.sql	2026-11-22 10:34:56.644572+00
00.19.00_01_add_index_on_procrastinate_jobs.sql	2026-11-22 10:34:56.644572+00
00.22.00_01_add_kwargs_to_defer_periodic_job.sql	2026-11-22 10:34:56.644572+00
00.23.00_01_null_locks_excluded.sql	2026-11-22 10:34:56.644572+00
01.00.00_01_remove_old_finish_job_function.sql	2026-11-22 10:34:56.644572+00
01.01.01_01_job_id_bigint.sql	2026-11-22 10:34:56.644572+00
02.00.03_01_add_job_priority.sql	2026-11-22 10:34:56.644572+00
02.05.00_01_add_periodic_job_priority.sql	2026-11-22 10:34:56.644572+00
02.06.00_01_add_cancel_states.sql	2026-11-22 10:34:56.644572+00
02.08.00_01_add_additional_params_to_retry_job.sql	2026-11-22 10:34:56.644572+00
02.14.01_01_add_indexes_for_fetch_job.sql	2026-11-22 10:34:56.644572+00
03.00.00_01_pre_cancel_notification.sql	2026-11-22 10:34:56.644572+00
03.00.00_50_post_cancel_notification.sql	2026-11-22 10:34:56.644572+00
03.01.00_01_pre_add_heartbeat.sql	2026-11-22 10:34:56.644572+00
03.01.00_50_post_add_heartbeat.sql	2026-11-22 10:34:56.644572+00
03.02.00_01_pre_batch_defer_jobs.sql	2026-11-22 10:34:56.644572+00
03.02.00_50_post_batch_defer_jobs.sql	2026-11-22 10:34:56.644572+00
03.03.00_01_pre_priority_lock_fetch_job.sql	2026-11-22 10:34:56.644572+00
03.04.00_01_pre_add_retry_failed_job_procedure.sql	2026-11-22 10:34:56.644572+00
03.04.00_50_post_add_retry_failed_job_procedure.sql	2026-11-22 10:34:56.644572+00
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
T0LOCAL	T0LOCAL:C0OPS:1795345312.345023	1	C0OPS	U0ADA	waiting	[]			2026-11-22 11:02:01.042787+00	\N	f	[]	1	3034	242	0	763	0	{"fusions":[["second","third"]],"splits":[["third","tell","RED",""],["tell","after","RED",""]]}
T0LOCAL	T0LOCAL:C0OPS:1795345327.528241	1	C0OPS	U0ADA	waiting	[]			2026-11-22 11:02:07.551974+00	\N	f	[]	1	3034	138	0	499	0	{}
T0LOCAL	T0LOCAL:C0OPS:1795345340.073854	1	C0OPS	U0ADA	waiting	[]			2026-11-22 11:02:28.969575+00	\N	f	[]	1	3030	89	0	596	1	{}
T0LOCAL	T0LOCAL:C0OPS:1795345350.812644	1	C0OPS	U0ADA	running	[]			2026-11-22 11:02:38.991621+00	\N	f	[]	1	3032	93	0	463	0	{}
T0LOCAL	T0LOCAL:C0OPS:1795345321.836016	1	C0OPS	U0ADA	waiting	[]			2026-11-22 11:02:01.881569+00	\N	f	[]	5	12116	251	0	529	0	{}
T0LOCAL	T0LOCAL:C0OPS:1795345322.475037	1	C0OPS	U0ADA	waiting	[]			2026-11-22 11:02:02.507709+00	\N	f	[]	2	5114	57	0	197	0	{}
T0LOCAL	T0LOCAL:C0OPS:1795345324.081574	1	C0OPS	U0ADA	waiting	[]			2026-11-22 11:02:04.122767+00	\N	f	[]	1	3036	159	0	401	0	{"fusions":[],"splits":[["tell","behind","TEMPLATE",""]]}
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
T0LOCAL	T0LOCAL:C0OPS:1795345312.345023	C0OPS	4	2026-11-22 11:01:52.376643+00	\N
T0LOCAL	T0LOCAL:C0OPS:1795345321.836016	C0OPS	4	2026-11-22 11:02:01.84175+00	\N
T0LOCAL	T0LOCAL:C0OPS:1795345322.475037	C0OPS	1	2026-11-22 11:02:02.478271+00	\N
T0LOCAL	T0LOCAL:C0OPS:1795345324.081574	C0OPS	7	2026-11-22 11:02:04.088358+00	\N
T0LOCAL	T0LOCAL:C0OPS:1795345327.528241	C0OPS	3	2026-11-22 11:02:07.532159+00	\N
T0LOCAL	T0LOCAL:C0OPS:1795345340.073854	C0OPS	2	2026-11-22 11:02:20.080395+00	\N
T0LOCAL	T0LOCAL:C0OPS:1795345350.812644	C0OPS	1	2026-11-22 11:02:30.817239+00	\N
\.


--
-- Data for Name: workers; Type: TABLE DATA; Schema: public; Owner: -
--

COPY public.workers (id, host, pid, queue_worker, started_at, heartbeat_at, dead_at, buried_at) FROM stdin;
6620ae512af94384962147623d3140a7	a-machine	2059	1	2026-11-22 11:02:00.899093+00	2026-11-22 11:02:09.521963+00	2026-11-22 11:02:18.206104+00	2026-11-22 11:02:18.233602+00
06be08d30e3946db81c8438a922df0d2	a-machine	2402	4	2026-11-22 11:02:38.859565+00	2026-11-22 11:02:39.386228+00	\N	\N
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



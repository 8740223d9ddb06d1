-- Plans, their products and the price list of jobs: data, not code.

CREATE TABLE plan (
  code               text PRIMARY KEY,
  name               text NOT NULL,
  position           smallint NOT NULL UNIQUE,
  daily_jobs         integer NOT NULL,
  concurrent_jobs    integer NOT NULL,
  max_side           integer NOT NULL,
  priority           text NOT NULL,
  queue_class        smallint NOT NULL,
  watermark          text NOT NULL,
  nsfw_mode          text NOT NULL,
  face_swap_consents text[] NOT NULL,
  commercial_use     text NOT NULL,
  consumes_credits   boolean NOT NULL,
  credits_included   bigint NOT NULL,
  features           text[] NOT NULL,
  CONSTRAINT limits_positive CHECK (daily_jobs > 0 AND concurrent_jobs > 0 AND max_side > 0),
  CONSTRAINT priority_known CHECK (priority IN ('low', 'high', 'highest')),
  CONSTRAINT watermark_known CHECK (watermark IN ('always', 'optional', 'custom')),
  CONSTRAINT nsfw_mode_known CHECK (nsfw_mode IN ('block', 'flag')),
  CONSTRAINT commercial_use_known CHECK (commercial_use IN ('no', 'yes', 'full')),
  CONSTRAINT credits_included_not_negative CHECK (credits_included >= 0)
);

INSERT INTO plan (code, name, position, daily_jobs, concurrent_jobs, max_side, priority, queue_class,
                  watermark, nsfw_mode, face_swap_consents, commercial_use, consumes_credits,
                  credits_included, features)
VALUES
  ('free', 'Free', 0, 5, 2, 512, 'low', 0, 'always', 'block',
   '{face_swap_consent,deepfake_awareness_consent}', 'no', true, 0, '{}'),
  ('pro', 'Pro', 1, 50, 5, 1024, 'high', 1, 'optional', 'flag',
   '{face_swap_consent,biometric_processing_consent}', 'yes', false, 50,
   '{premium_feature,no_watermark}'),
  ('premium', 'Premium', 2, 200, 10, 2048, 'highest', 2, 'custom', 'flag',
   '{face_swap_consent}', 'full', false, 200,
   '{premium_feature,no_watermark,custom_watermark}');

-- What the operator's configuration changes; written anew by each start of the service, so that
-- a key taken out of the configuration gives the plan its own number back.
CREATE TABLE plan_override (
  plan_code        text PRIMARY KEY REFERENCES plan (code),
  daily_jobs       integer,
  concurrent_jobs  integer,
  max_side         integer,
  credits_included bigint,
  consumes_credits boolean
);

CREATE VIEW effective_plan AS
SELECT p.code, p.name, p.position,
       coalesce(o.daily_jobs, p.daily_jobs) AS daily_jobs,
       coalesce(o.concurrent_jobs, p.concurrent_jobs) AS concurrent_jobs,
       coalesce(o.max_side, p.max_side) AS max_side,
       p.priority, p.queue_class, p.watermark, p.nsfw_mode, p.face_swap_consents, p.commercial_use,
       coalesce(o.consumes_credits, p.consumes_credits) AS consumes_credits,
       coalesce(o.credits_included, p.credits_included) AS credits_included,
       p.features
FROM plan p LEFT JOIN plan_override o ON o.plan_code = p.code;

-- What the payment providers call their products, and the plan that each of them buys.
CREATE TABLE product (
  id             text PRIMARY KEY,
  plan_code      text NOT NULL REFERENCES plan (code),
  period_months  integer NOT NULL,
  CONSTRAINT period_positive CHECK (period_months > 0)
);

INSERT INTO product (id, plan_code, period_months)
VALUES ('pro_monthly', 'pro', 1), ('pro_yearly', 'pro', 12),
       ('premium_monthly', 'premium', 1), ('premium_yearly', 'premium', 12);

-- Price of a job in credits. A type without a row costs 1. A paid plan covers the types that say so.
CREATE TABLE job_cost (
  job_type        text PRIMARY KEY,
  credits         bigint NOT NULL,
  covered_by_plan boolean NOT NULL,
  CONSTRAINT credits_not_negative CHECK (credits >= 0)
);

INSERT INTO job_cost (job_type, credits, covered_by_plan)
VALUES ('face_restore', 1, true), ('face_swap', 2, true), ('upscale', 1, true);

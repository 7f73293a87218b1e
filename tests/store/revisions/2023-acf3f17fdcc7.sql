-- runs have datasets; written by tests/store/make_revisions.py
BEGIN TRANSACTION;
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('acf3f17fdcc7');
CREATE TABLE datasets (
	dataset_uuid VARCHAR(36) NOT NULL, 
	experiment_id INTEGER NOT NULL, 
	name VARCHAR(500) NOT NULL, 
	digest VARCHAR(36) NOT NULL, 
	dataset_source_type VARCHAR(36) NOT NULL, 
	dataset_source TEXT NOT NULL, 
	dataset_schema TEXT, 
	dataset_profile TEXT, 
	CONSTRAINT dataset_pk PRIMARY KEY (experiment_id, name, digest), 
	FOREIGN KEY(experiment_id) REFERENCES experiments (experiment_id)
);
CREATE TABLE experiment_tags (
	"key" VARCHAR(250) NOT NULL, 
	value VARCHAR(5000), 
	experiment_id INTEGER NOT NULL, 
	CONSTRAINT experiment_tag_pk PRIMARY KEY ("key", experiment_id), 
	FOREIGN KEY(experiment_id) REFERENCES experiments (experiment_id)
);
INSERT INTO "experiment_tags" VALUES('owner','somebody',1);
CREATE TABLE experiments (
	experiment_id INTEGER NOT NULL, 
	name VARCHAR(256) NOT NULL, 
	artifact_location VARCHAR(256), 
	lifecycle_stage VARCHAR(32), creation_time BIGINT, last_update_time BIGINT, 
	CONSTRAINT experiment_pk PRIMARY KEY (experiment_id), 
	CONSTRAINT experiments_lifecycle_stage CHECK (lifecycle_stage IN ('active', 'deleted')), 
	UNIQUE (name)
);
INSERT INTO "experiments" VALUES(0,'Default','/gone/mlruns/0','active',NULL,NULL);
INSERT INTO "experiments" VALUES(1,'theirs','/gone/mlruns/1','active',NULL,NULL);
INSERT INTO "experiments" VALUES(2,'removed','/gone/mlruns/2','deleted',NULL,NULL);
CREATE TABLE input_tags (
	input_uuid VARCHAR(36) NOT NULL, 
	name VARCHAR(255) NOT NULL, 
	value VARCHAR(500) NOT NULL, 
	CONSTRAINT input_tags_pk PRIMARY KEY (input_uuid, name)
);
CREATE TABLE inputs (
	input_uuid VARCHAR(36) NOT NULL, 
	source_type VARCHAR(36) NOT NULL, 
	source_id VARCHAR(36) NOT NULL, 
	destination_type VARCHAR(36) NOT NULL, 
	destination_id VARCHAR(36) NOT NULL, 
	CONSTRAINT inputs_pk PRIMARY KEY (source_type, source_id, destination_type, destination_id)
);
CREATE TABLE "latest_metrics" (
	"key" VARCHAR(250) NOT NULL, 
	value FLOAT NOT NULL, 
	timestamp BIGINT, 
	step BIGINT NOT NULL, 
	is_nan BOOLEAN NOT NULL, 
	run_uuid VARCHAR(32) NOT NULL, 
	CONSTRAINT latest_metric_pk PRIMARY KEY ("key", run_uuid), 
	FOREIGN KEY(run_uuid) REFERENCES runs (run_uuid), 
	CHECK (is_nan IN (0, 1))
);
INSERT INTO "latest_metrics" VALUES('val_loss',0.75,1560000000002,2,0,'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa');
INSERT INTO "latest_metrics" VALUES('nothing',0.0,1560000000000,0,1,'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa');
INSERT INTO "latest_metrics" VALUES('val_loss',1.75,1560000000002,2,0,'bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb');
INSERT INTO "latest_metrics" VALUES('nothing',0.0,1560000000000,0,1,'bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb');
INSERT INTO "latest_metrics" VALUES('val_loss',2.75,1560000000002,2,0,'cccccccccccccccccccccccccccccccc');
INSERT INTO "latest_metrics" VALUES('nothing',0.0,1560000000000,0,1,'cccccccccccccccccccccccccccccccc');
CREATE TABLE "metrics" (
	"key" VARCHAR(250) NOT NULL, 
	value FLOAT NOT NULL, 
	timestamp BIGINT NOT NULL, 
	run_uuid VARCHAR(32) NOT NULL, 
	step BIGINT DEFAULT '0' NOT NULL, 
	is_nan BOOLEAN DEFAULT '0' NOT NULL, 
	CONSTRAINT metric_pk PRIMARY KEY ("key", timestamp, step, run_uuid, value, is_nan), 
	FOREIGN KEY(run_uuid) REFERENCES runs (run_uuid), 
	CHECK (is_nan IN (0, 1))
);
INSERT INTO "metrics" VALUES('val_loss',0.5,1560000000000,'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa',0,0);
INSERT INTO "metrics" VALUES('val_loss',0.25,1560000000001,'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa',1,0);
INSERT INTO "metrics" VALUES('val_loss',0.75,1560000000002,'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa',2,0);
INSERT INTO "metrics" VALUES('nothing',0.0,1560000000000,'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa',0,1);
INSERT INTO "metrics" VALUES('val_loss',0.5,1560000000000,'bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb',0,0);
INSERT INTO "metrics" VALUES('val_loss',0.25,1560000000001,'bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb',1,0);
INSERT INTO "metrics" VALUES('val_loss',1.75,1560000000002,'bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb',2,0);
INSERT INTO "metrics" VALUES('nothing',0.0,1560000000000,'bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb',0,1);
INSERT INTO "metrics" VALUES('val_loss',0.5,1560000000000,'cccccccccccccccccccccccccccccccc',0,0);
INSERT INTO "metrics" VALUES('val_loss',0.25,1560000000001,'cccccccccccccccccccccccccccccccc',1,0);
INSERT INTO "metrics" VALUES('val_loss',2.75,1560000000002,'cccccccccccccccccccccccccccccccc',2,0);
INSERT INTO "metrics" VALUES('nothing',0.0,1560000000000,'cccccccccccccccccccccccccccccccc',0,1);
CREATE TABLE "params" (
	"key" VARCHAR(250) NOT NULL, 
	value VARCHAR(8000) NOT NULL, 
	run_uuid VARCHAR(32) NOT NULL, 
	CONSTRAINT param_pk PRIMARY KEY ("key", run_uuid), 
	FOREIGN KEY(run_uuid) REFERENCES runs (run_uuid)
);
INSERT INTO "params" VALUES('lr','0.1','aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa');
INSERT INTO "params" VALUES('lr','0.2','bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb');
INSERT INTO "params" VALUES('lr','0.3','cccccccccccccccccccccccccccccccc');
CREATE TABLE "runs" (
	run_uuid VARCHAR(32) NOT NULL, 
	name VARCHAR(250), 
	source_type VARCHAR(20), 
	source_name VARCHAR(500), 
	entry_point_name VARCHAR(50), 
	user_id VARCHAR(256), 
	status VARCHAR(9), 
	start_time BIGINT, 
	end_time BIGINT, 
	source_version VARCHAR(50), 
	lifecycle_stage VARCHAR(20), 
	artifact_uri VARCHAR(200), 
	experiment_id INTEGER, deleted_time BIGINT, 
	CONSTRAINT run_pk PRIMARY KEY (run_uuid), 
	CONSTRAINT runs_lifecycle_stage CHECK (lifecycle_stage IN ('active', 'deleted')), 
	CONSTRAINT source_type CHECK (source_type IN ('NOTEBOOK', 'JOB', 'LOCAL', 'UNKNOWN', 'PROJECT')), 
	FOREIGN KEY(experiment_id) REFERENCES experiments (experiment_id), 
	CHECK (status IN ('SCHEDULED', 'FAILED', 'FINISHED', 'RUNNING', 'KILLED'))
);
INSERT INTO "runs" VALUES('aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa','run 0','LOCAL','train.py','','somebody','FINISHED',1560000000000,1560000060000,'','active','/gone/mlruns/1/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa/artifacts',1,NULL);
INSERT INTO "runs" VALUES('bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb','run 1','LOCAL','train.py','','somebody','FAILED',1560000000001,1560000060001,'','active','/gone/mlruns/1/bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb/artifacts',1,NULL);
INSERT INTO "runs" VALUES('cccccccccccccccccccccccccccccccc','run 2','LOCAL','train.py','','somebody','FINISHED',1560000000002,1560000060002,'','deleted','/gone/mlruns/1/cccccccccccccccccccccccccccccccc/artifacts',1,NULL);
CREATE TABLE "tags" (
	"key" VARCHAR(250) NOT NULL, 
	value VARCHAR(5000), 
	run_uuid VARCHAR(32) NOT NULL, 
	CONSTRAINT tag_pk PRIMARY KEY ("key", run_uuid), 
	FOREIGN KEY(run_uuid) REFERENCES runs (run_uuid)
);
INSERT INTO "tags" VALUES('mlflow.runName','run 0','aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa');
INSERT INTO "tags" VALUES('mlflow.runName','run 1','bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb');
INSERT INTO "tags" VALUES('mlflow.runName','run 2','cccccccccccccccccccccccccccccccc');
CREATE INDEX index_metrics_run_uuid ON metrics (run_uuid);
CREATE INDEX index_latest_metrics_run_uuid ON latest_metrics (run_uuid);
CREATE INDEX index_tags_run_uuid ON tags (run_uuid);
CREATE INDEX index_datasets_experiment_id_dataset_source_type ON datasets (experiment_id, dataset_source_type);
CREATE INDEX index_datasets_dataset_uuid ON datasets (dataset_uuid);
CREATE INDEX index_inputs_destination_type_destination_id_source_type ON inputs (destination_type, destination_id, source_type);
CREATE INDEX index_inputs_input_uuid ON inputs (input_uuid);
CREATE INDEX index_params_run_uuid ON params (run_uuid);
COMMIT;

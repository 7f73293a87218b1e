-- metrics have steps; written by tests/store/make_revisions.py
BEGIN TRANSACTION;
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('451aebb31d03');
CREATE TABLE experiments (
	experiment_id INTEGER NOT NULL, 
	name VARCHAR(256) NOT NULL, 
	artifact_location VARCHAR(256), 
	lifecycle_stage VARCHAR(32), 
	CONSTRAINT experiment_pk PRIMARY KEY (experiment_id), 
	CONSTRAINT experiments_lifecycle_stage CHECK (lifecycle_stage IN ('active', 'deleted')), 
	UNIQUE (name)
);
INSERT INTO "experiments" VALUES(0,'Default','/gone/mlruns/0','active');
INSERT INTO "experiments" VALUES(1,'theirs','/gone/mlruns/1','active');
INSERT INTO "experiments" VALUES(2,'removed','/gone/mlruns/2','deleted');
CREATE TABLE "metrics" (
	"key" VARCHAR(250) NOT NULL, 
	value FLOAT NOT NULL, 
	timestamp BIGINT NOT NULL, 
	run_uuid VARCHAR(32) NOT NULL, 
	step BIGINT DEFAULT '0' NOT NULL, 
	CONSTRAINT metric_pk PRIMARY KEY ("key", timestamp, step, run_uuid, value), 
	FOREIGN KEY(run_uuid) REFERENCES runs (run_uuid)
);
INSERT INTO "metrics" VALUES('val_loss',0.5,1560000000000,'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa',0);
INSERT INTO "metrics" VALUES('val_loss',0.25,1560000000001,'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa',1);
INSERT INTO "metrics" VALUES('val_loss',0.75,1560000000002,'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa',2);
INSERT INTO "metrics" VALUES('nothing',0.0,1560000000000,'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa',0);
INSERT INTO "metrics" VALUES('val_loss',0.5,1560000000000,'bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb',0);
INSERT INTO "metrics" VALUES('val_loss',0.25,1560000000001,'bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb',1);
INSERT INTO "metrics" VALUES('val_loss',1.75,1560000000002,'bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb',2);
INSERT INTO "metrics" VALUES('nothing',0.0,1560000000000,'bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb',0);
INSERT INTO "metrics" VALUES('val_loss',0.5,1560000000000,'cccccccccccccccccccccccccccccccc',0);
INSERT INTO "metrics" VALUES('val_loss',0.25,1560000000001,'cccccccccccccccccccccccccccccccc',1);
INSERT INTO "metrics" VALUES('val_loss',2.75,1560000000002,'cccccccccccccccccccccccccccccccc',2);
INSERT INTO "metrics" VALUES('nothing',0.0,1560000000000,'cccccccccccccccccccccccccccccccc',0);
CREATE TABLE params (
	"key" VARCHAR(250) NOT NULL, 
	value VARCHAR(250) NOT NULL, 
	run_uuid VARCHAR(32) NOT NULL, 
	CONSTRAINT param_pk PRIMARY KEY ("key", run_uuid), 
	FOREIGN KEY(run_uuid) REFERENCES runs (run_uuid)
);
INSERT INTO "params" VALUES('lr','0.1','aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa');
INSERT INTO "params" VALUES('lr','0.2','bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb');
INSERT INTO "params" VALUES('lr','0.3','cccccccccccccccccccccccccccccccc');
CREATE TABLE runs (
	run_uuid VARCHAR(32) NOT NULL, 
	name VARCHAR(250), 
	source_type VARCHAR(20), 
	source_name VARCHAR(500), 
	entry_point_name VARCHAR(50), 
	user_id VARCHAR(256), 
	status VARCHAR(20), 
	start_time BIGINT, 
	end_time BIGINT, 
	source_version VARCHAR(50), 
	lifecycle_stage VARCHAR(20), 
	artifact_uri VARCHAR(200), 
	experiment_id INTEGER, 
	CONSTRAINT run_pk PRIMARY KEY (run_uuid), 
	CONSTRAINT source_type CHECK (source_type IN ('NOTEBOOK', 'JOB', 'LOCAL', 'UNKNOWN', 'PROJECT')), 
	CONSTRAINT status CHECK (status IN ('SCHEDULED', 'FAILED', 'FINISHED', 'RUNNING')), 
	CONSTRAINT runs_lifecycle_stage CHECK (lifecycle_stage IN ('active', 'deleted')), 
	FOREIGN KEY(experiment_id) REFERENCES experiments (experiment_id)
);
INSERT INTO "runs" VALUES('aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa','','LOCAL','train.py','','somebody','FINISHED',1560000000000,1560000060000,'','active','/gone/mlruns/1/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa/artifacts',1);
INSERT INTO "runs" VALUES('bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb','','LOCAL','train.py','','somebody','FAILED',1560000000001,1560000060001,'','active','/gone/mlruns/1/bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb/artifacts',1);
INSERT INTO "runs" VALUES('cccccccccccccccccccccccccccccccc','','LOCAL','train.py','','somebody','FINISHED',1560000000002,1560000060002,'','deleted','/gone/mlruns/1/cccccccccccccccccccccccccccccccc/artifacts',1);
CREATE TABLE tags (
	"key" VARCHAR(250) NOT NULL, 
	value VARCHAR(250), 
	run_uuid VARCHAR(32) NOT NULL, 
	CONSTRAINT tag_pk PRIMARY KEY ("key", run_uuid), 
	FOREIGN KEY(run_uuid) REFERENCES runs (run_uuid)
);
INSERT INTO "tags" VALUES('mlflow.runName','run 0','aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa');
INSERT INTO "tags" VALUES('mlflow.runName','run 1','bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb');
INSERT INTO "tags" VALUES('mlflow.runName','run 2','cccccccccccccccccccccccccccccccc');
COMMIT;

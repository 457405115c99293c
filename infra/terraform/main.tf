# Database, secret, network rules, task role, log group and alarms of the warehouse. Not here: VPC, cluster, services,
# load balancer and the role that pulls images and writes logs (infra/README.md).

# --- database ---

resource "aws_db_subnet_group" "warehouse" {
  name       = var.name
  subnet_ids = var.private_subnet_ids
}

resource "aws_db_parameter_group" "warehouse" {
  name   = "${var.name}-postgres16"
  family = "postgres16"

  parameter {
    name  = "rds.force_ssl"
    value = "1"
  }
}

resource "aws_db_instance" "warehouse" {
  identifier     = var.name
  engine         = "postgres"
  engine_version = "16"
  instance_class = var.instance_class
  db_name        = "fullbay_data"
  username       = "fullbay_admin"

  # RDS makes the administrator's password and keeps it in a secret of its own: it is never in the state file.
  manage_master_user_password = true

  allocated_storage     = var.allocated_storage_gb
  max_allocated_storage = 10 * var.allocated_storage_gb
  storage_type          = "gp3"
  storage_encrypted     = true

  publicly_accessible    = false
  db_subnet_group_name   = aws_db_subnet_group.warehouse.name
  vpc_security_group_ids = [aws_security_group.database.id]
  parameter_group_name   = aws_db_parameter_group.warehouse.name

  backup_retention_period   = var.backup_days
  copy_tags_to_snapshot     = true
  deletion_protection       = true
  skip_final_snapshot       = false
  final_snapshot_identifier = "${var.name}-final"
}

# --- network: tasks may reach the database, https and each other; nothing else reaches the database ---

resource "aws_security_group" "tasks" {
  name        = "${var.name}-tasks"
  description = "Webserver, daemon and code servers"
  vpc_id      = var.vpc_id
}

resource "aws_security_group" "database" {
  name        = "${var.name}-database"
  description = "PostgreSQL, from the tasks only"
  vpc_id      = var.vpc_id
}

resource "aws_vpc_security_group_ingress_rule" "database_from_tasks" {
  security_group_id            = aws_security_group.database.id
  referenced_security_group_id = aws_security_group.tasks.id
  ip_protocol                  = "tcp"
  from_port                    = 5432
  to_port                      = 5432
}

resource "aws_vpc_security_group_egress_rule" "tasks_to_database" {
  security_group_id            = aws_security_group.tasks.id
  referenced_security_group_id = aws_security_group.database.id
  ip_protocol                  = "tcp"
  from_port                    = 5432
  to_port                      = 5432
}

resource "aws_vpc_security_group_egress_rule" "tasks_to_https" {
  description       = "Fullbay, Secrets Manager, logs, image registry"
  security_group_id = aws_security_group.tasks.id
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
}

resource "aws_vpc_security_group_ingress_rule" "tasks_from_tasks" {
  description                  = "Code servers, from webserver and daemon"
  security_group_id            = aws_security_group.tasks.id
  referenced_security_group_id = aws_security_group.tasks.id
  ip_protocol                  = "tcp"
  from_port                    = 4000
  to_port                      = 4000
}

resource "aws_vpc_security_group_egress_rule" "tasks_to_tasks" {
  security_group_id            = aws_security_group.tasks.id
  referenced_security_group_id = aws_security_group.tasks.id
  ip_protocol                  = "tcp"
  from_port                    = 4000
  to_port                      = 4000
}

# --- secret: the keys are made empty here; their values are put in by hand and never known to Terraform ---

resource "aws_secretsmanager_secret" "credentials" {
  name        = "${var.name}/fullbay-api-credentials"
  description = "Fullbay API key and database password (SECRETS_MANAGER_SECRET_NAME)"
}

resource "aws_secretsmanager_secret_version" "empty" {
  secret_id     = aws_secretsmanager_secret.credentials.id
  secret_string = jsonencode({ fullbay_api_key = "", db_password = "" })

  lifecycle {
    ignore_changes = [secret_string, version_stages]
  }
}

# --- what a task may do ---

data "aws_iam_policy_document" "assumed_by_tasks" {
  statement {
    actions = ["sts:AssumeRole"]
    principals {
      type        = "Service"
      identifiers = ["ecs-tasks.amazonaws.com"]
    }
  }
}

data "aws_iam_policy_document" "read_credentials" {
  statement {
    actions   = ["secretsmanager:GetSecretValue"]
    resources = [aws_secretsmanager_secret.credentials.arn]
  }
}

resource "aws_iam_role" "task" {
  name               = "${var.name}-task"
  assume_role_policy = data.aws_iam_policy_document.assumed_by_tasks.json
}

resource "aws_iam_role_policy" "task" {
  name   = "read-credentials"
  role   = aws_iam_role.task.id
  policy = data.aws_iam_policy_document.read_credentials.json
}

# --- logs and alarms ---

resource "aws_cloudwatch_log_group" "warehouse" {
  name              = "/ecs/${var.name}"
  retention_in_days = 90
}

locals {
  # What a line of the containers' output says when it is time to look.
  alarms = {
    errors = {
      pattern     = "?ERROR ?RUN_FAILURE"
      description = "A run, a schedule or a server reported an error."
    }
    duration = {
      pattern     = "\"has exceeded maximum runtime\""
      description = "The daemon ended a run that took longer than it may (4 hours for Fullbay jobs, else 6)."
    }
  }
}

resource "aws_cloudwatch_log_metric_filter" "warehouse" {
  for_each       = local.alarms
  name           = "${var.name}-${each.key}"
  log_group_name = aws_cloudwatch_log_group.warehouse.name
  pattern        = each.value.pattern

  metric_transformation {
    name      = "${var.name}-${each.key}"
    namespace = "Warehouse"
    value     = "1"
  }
}

resource "aws_cloudwatch_metric_alarm" "warehouse" {
  for_each            = local.alarms
  alarm_name          = "${var.name}-${each.key}"
  alarm_description   = each.value.description
  namespace           = "Warehouse"
  metric_name         = aws_cloudwatch_log_metric_filter.warehouse[each.key].metric_transformation[0].name
  statistic           = "Sum"
  period              = 300
  evaluation_periods  = 1
  comparison_operator = "GreaterThanOrEqualToThreshold"
  threshold           = 1
  treat_missing_data  = "notBreaching"
  alarm_actions       = var.alarm_topic_arns
}

output "database_host" {
  description = "DB_HOST and DAGSTER_DB_HOST."
  value       = aws_db_instance.warehouse.address
}

output "administrator_secret_arn" {
  description = "Secret in which RDS keeps the password of fullbay_admin."
  value       = aws_db_instance.warehouse.master_user_secret[0].secret_arn
}

output "secret_name" {
  description = "SECRETS_MANAGER_SECRET_NAME."
  value       = aws_secretsmanager_secret.credentials.name
}

output "task_role_arn" {
  description = "Task role of the code servers."
  value       = aws_iam_role.task.arn
}

output "task_security_group_id" {
  description = "Security group of all tasks."
  value       = aws_security_group.tasks.id
}

output "log_group_name" {
  description = "Log group of all containers."
  value       = aws_cloudwatch_log_group.warehouse.name
}

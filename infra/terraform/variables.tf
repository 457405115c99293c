variable "name" {
  description = "Prefix of all names, such as warehouse-production."
  type        = string
  default     = "warehouse"
}

variable "region" {
  description = "AWS region."
  type        = string
  default     = "us-east-1"
}

variable "vpc_id" {
  description = "VPC of the database and the tasks."
  type        = string
}

variable "private_subnet_ids" {
  description = "At least two subnets in different zones without a route from the internet. They need a NAT gateway with a fixed address: Fullbay accepts calls only from registered addresses."
  type        = list(string)
  validation {
    condition     = length(var.private_subnet_ids) >= 2
    error_message = "RDS needs subnets in two zones."
  }
}

variable "instance_class" {
  description = "RDS instance class."
  type        = string
  default     = "db.t4g.medium"
}

variable "allocated_storage_gb" {
  description = "Disk of the database; grows on its own up to ten times this."
  type        = number
  default     = 50
}

variable "backup_days" {
  description = "Days that automatic backups are kept."
  type        = number
  default     = 7
  validation {
    condition     = var.backup_days >= 1
    error_message = "0 would switch backups off."
  }
}

variable "alarm_topic_arns" {
  description = "SNS topics that alarms are sent to; empty: alarms show in the console only."
  type        = list(string)
  default     = []
}

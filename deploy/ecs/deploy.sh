#!/bin/bash
# Installs NextStream on ECS, or brings an installation to this version and these sizes; may run twice.
#
#   deploy/ecs/deploy.sh NAME [SIZE] [PARAMETER=VALUE ...]     SIZE: small, medium or large
#   deploy/ecs/deploy.sh NAME operator WHO                     adds an operator
#   deploy/ecs/deploy.sh NAME down                             takes all of it away but the videos
#
# Needs the AWS CLI with rights to do so, Docker, and git, whose commit names the images.
set -euo pipefail
cd "$(dirname "$0")/../.."

usage() { sed -n '4,6s/^# *//p' deploy/ecs/deploy.sh >&2; exit 2; }

name=${1:-}; size=${2:-small}
[[ $name =~ ^[a-z][a-z0-9-]{1,20}$ ]] || usage
# Each is a stack of its own, in this order; later ones read what earlier ones export.
stacks=(registry network storage data cluster edge migration services scaling alarms)

stack_of() { echo "$name-$1"; }

output() {  # STACK OUTPUT
    aws cloudformation describe-stacks --stack-name "$(stack_of "$1")" --output text \
        --query "Stacks[0].Outputs[?OutputKey=='$2'].OutputValue"
}

down() {
    read -rp "Remove $name, its database and queue? The buckets stay, and a snapshot. Type $name: " answer
    [[ $answer == "$name" ]] || exit 1
    aws rds modify-db-instance --db-instance-identifier "$name" --no-deletion-protection >/dev/null || true
    for ((n = ${#stacks[@]} - 1; n >= 0; n--)); do
        echo "Removing ${stacks[n]} ..."
        aws cloudformation delete-stack --stack-name "$(stack_of "${stacks[n]}")"
        aws cloudformation wait stack-delete-complete --stack-name "$(stack_of "${stacks[n]}")"
    done
}

run() {  # COMMAND ...: runs a program in the migration's task, and waits for its end
    local subnets group words task code
    subnets=$(output network Subnets); group=$(output network WorkerGroup)
    words=$(python3 -c 'import json, sys; print(json.dumps(sys.argv[1:]))' "$@")
    task=$(aws ecs run-task --cluster "$name" --launch-type FARGATE --output text \
        --task-definition "$(output migration Migrate)" --query 'tasks[0].taskArn' \
        --network-configuration "awsvpcConfiguration={subnets=[$subnets],securityGroups=[$group]}" \
        --overrides "{\"containerOverrides\": [{\"name\": \"migrate\", \"command\": $words}]}")
    aws ecs wait tasks-stopped --cluster "$name" --tasks "$task"
    code=$(aws ecs describe-tasks --cluster "$name" --tasks "$task" --output text \
        --query 'tasks[0].containers[0].exitCode')
    aws logs get-log-events --log-group-name "$name" --log-stream-name "migrate/migrate/${task##*/}" \
        --query 'events[].message' --output text
    [[ $code == 0 ]]
}

add_operator() {  # WHO: with a password that only the log knows
    # shellcheck disable=SC2016  the task's shell is to read it
    run sh -c 'word=$(python -c "import secrets; print(secrets.token_urlsafe(12))")
        echo "$word" | python -m nextstream user add "$0" --role operator && echo "Password: $word"' "$1"
    echo "Log in at $(output edge Url) and change the password: this one is in the log."
}

[[ $size == down ]] && { down; exit; }
[[ $size == operator ]] && { add_operator "${3:?WHO}"; exit; }
[[ -f deploy/ecs/sizes/$size.env ]] || usage

declare -A given=([Name]=$name)
while IFS== read -r key value; do
    [[ $key =~ ^[A-Z] ]] && given[$key]=$value
done <"deploy/ecs/sizes/$size.env"
for pair in "${@:3}"; do
    [[ $pair == *=* ]] || usage
    given[${pair%%=*}]=${pair#*=}
done

deploy() {  # STACK [TEMPLATE]: with those of the parameters that it has
    local template=${2:-deploy/ecs/$1.yaml} words=() key
    echo "Deploying $1 ..."
    for key in $(sed -n '/^Parameters:/,/^[A-OQ-Z]/s/^  \([A-Za-z]*\):.*/\1/p' "deploy/ecs/$1.yaml"); do
        [[ -v given[$key] ]] && words+=("$key=${given[$key]}")
    done
    aws cloudformation deploy --stack-name "$(stack_of "$1")" --template-file "$template" \
        --parameter-overrides "${words[@]}" --capabilities CAPABILITY_IAM CAPABILITY_AUTO_EXPAND \
        --tags "nextstream=$name" --no-fail-on-empty-changeset
}

push() {  # IMAGE URI: builds one and pushes it, unless this commit's is there
    local image=$1 uri=$2
    aws ecr describe-images --repository-name "$name-$image" --image-ids "imageTag=$tag" >/dev/null 2>&1 \
        && return
    docker build --platform linux/amd64 --file "deploy/$image.Dockerfile" --tag "$uri:$tag" .
    docker push "$uri:$tag"
}

# --- What CloudFormation can't find out by itself
given[CloudFrontPrefixList]=$(aws ec2 describe-managed-prefix-lists --output text \
    --filters Name=prefix-list-name,Values=com.amazonaws.global.cloudfront.origin-facing \
    --query 'PrefixLists[0].PrefixListId')

# --- Images, named by their commit, so that a rollback finds those it had
tag=$(git describe --always --dirty --abbrev=12)
[[ $tag == *-dirty ]] && tag+=-$(date +%s)
deploy registry
web=$(output registry WebUri); worker=$(output registry WorkerUri)
aws ecr get-login-password | docker login --username AWS --password-stdin "${web%%/*}"
push web "$web"
push worker "$worker"
given[WebImage]=$web:$tag given[WorkerImage]=$worker:$tag given[Image]=$web:$tag

# --- What keeps something, and the way in
for stack in network storage data cluster edge; do
    deploy "$stack"
done
events=$(output data Events)
if [[ $events != none ]]; then
    given[Brokers]=$(aws kafka get-bootstrap-brokers --cluster-arn "$events" --output text \
        --query BootstrapBrokerStringSaslScram)
fi

# --- The database first, then what works on it
deploy migration
echo "Migrating the database ..."
run python -m nextstream migrate

bucket=$name-templates-$(aws sts get-caller-identity --query Account --output text)
aws s3api head-bucket --bucket "$bucket" 2>/dev/null || aws s3 mb "s3://$bucket"
packaged=$(mktemp); trap 'rm -f "$packaged"' EXIT
aws cloudformation package --template-file deploy/ecs/services.yaml --s3-bucket "$bucket" \
    --output-template-file "$packaged" >/dev/null
deploy services "$packaged"
deploy scaling
deploy alarms
echo "NextStream is at $(output edge Url)"
